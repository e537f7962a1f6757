import { closest, isTypingMistake } from "../errors/closest.ts";
import { listNames } from "../errors/name-list.ts";
import { SourceError } from "../errors/source.ts";
import { type Archive, takePart } from "./archive.ts";
import { damaged, notReadable } from "./faults.ts";
import type { Sax } from "./packages.ts";
import { attributeOf, readXML, type XMLHandlers } from "./xml.ts";

/** All that the parts of a workbook are read with. */
export interface Opened {
  readonly owner: string;
  readonly archive: Archive;
  readonly sax: Sax;
  readonly signal: AbortSignal;
}

interface Sheet {
  readonly name: string;
  readonly isHidden: boolean;
  /** The part with its rows; undefined for a sheet that is a chart. */
  readonly part: string | undefined;
}

/** The sheets of a workbook in the order of their tabs, and the parts that they share. */
export interface Workbook {
  readonly sheets: readonly Sheet[];
  readonly from1904: boolean;
  readonly stylesPart: string | undefined;
  readonly textsPart: string | undefined;
}

interface Relation {
  /** The last word of its type: `worksheet`. */
  readonly kind: string;
  readonly part: string;
}

/** Reads a whole part that is small, or of which little is kept. */
export async function readPart(opened: Opened, name: string, handlers: XMLHandlers): Promise<void> {
  const { owner, archive, sax, signal } = opened;
  const reader = readXML(owner, sax, handlers);
  await takePart(owner, archive, name, reader.write, signal);
  reader.end();
}

/** @throws {SourceError} for an archive that is no Excel workbook */
export async function readWorkbook(opened: Opened): Promise<Workbook> {
  const part = await findWorkbook(opened);
  const relations = await readRelations(opened, part);
  const found: { name: string; isHidden: boolean; id: string }[] = [];
  let from1904 = false;
  await readPart(opened, part, {
    open: (element) => {
      const { name, attributes } = element;
      if (name === "workbookPr") from1904 = isTrue(attributes["date1904"]);
      if (name !== "sheet") return;
      const { state = "visible" } = attributes;
      const id = attributeOf(element, "id", true) ?? "";
      found.push({ name: attributes["name"] ?? "", isHidden: state !== "visible", id });
    },
  });
  const partOf = (kind: string): string | undefined =>
    [...relations.values()].find((relation) => relation.kind === kind)?.part;
  return {
    from1904,
    stylesPart: partOf("styles"),
    textsPart: partOf("sharedStrings"),
    sheets: found.map(({ name, isHidden, id }) => {
      const relation = relations.get(id);
      return { name, isHidden, part: relation?.kind === "worksheet" ? relation.part : undefined };
    }),
  };
}

async function findWorkbook(opened: Opened): Promise<string> {
  const { owner, archive } = opened;
  if (!archive.has("_rels/.rels")) {
    if (archive.has("content.xml")) {
      const hint = "save it as an Excel workbook (.xlsx)";
      throw notReadable(owner, "an OpenDocument file", { hint });
    }
    throw notReadable(owner, "an archive (.zip) of other files");
  }
  const relations = await readRelations(opened, "");
  const part = [...relations.values()].find(({ kind }) => kind === "officeDocument")?.part ?? "";
  if (part.endsWith(".bin")) {
    throw notReadable(owner, "a binary workbook (.xlsb)", { hint: "save it as an Excel workbook (.xlsx)" });
  }
  if (!archive.has(part)) throw damaged(owner, "a part is missing");
  if (/^(?:word|ppt|visio)\//i.test(part)) throw notReadable(owner, "a document of another Office program");
  return part;
}

/** The relations of a part to others, by their ids; those of the whole file for no part. */
async function readRelations(opened: Opened, part: string): Promise<ReadonlyMap<string, Relation>> {
  const at = part.lastIndexOf("/") + 1;
  const folder = part.slice(0, at);
  const relations = new Map<string, Relation>();
  const name = `${folder}_rels/${part.slice(at)}.rels`;
  if (!opened.archive.has(name)) return relations;
  await readPart(opened, name, {
    open: ({ name: element, attributes }) => {
      const { Id = "", Type = "", Target = "", TargetMode } = attributes;
      if (element !== "Relationship" || TargetMode === "External") return;
      relations.set(Id, { kind: Type.slice(Type.lastIndexOf("/") + 1), part: resolvePart(folder, Target) });
    },
  });
  return relations;
}

/** The name of the part that a relation leads to; one that is no name leads to no part. */
function resolvePart(folder: string, target: string): string {
  try {
    return decodeURI(new URL(target.replaceAll("\\", "/"), `file:///${folder}`).pathname).slice(1);
  } catch {
    return target;
  }
}

export function isTrue(text: string | undefined): boolean {
  return text === "1" || text === "true" || text === "on";
}

/**
 * The sheet that is to be read: by its name or its number from 1, hidden ones counted; without either the first that is not hidden.
 *
 * @throws {SourceError} if there is none. Its message has no names of the workbook, its detail has them.
 */
export function chooseSheet(owner: string, { sheets }: Workbook, wanted: string | number | undefined): string {
  const sheet =
    wanted === undefined
      ? (sheets.find(({ isHidden, part }) => !isHidden && part !== undefined) ??
        sheets.find(({ part }) => part !== undefined))
      : sheets.find(({ name }, index) => (typeof wanted === "string" ? name === wanted : index + 1 === wanted));
  if (sheet?.part !== undefined) return sheet.part;
  const names = sheets.map(({ name }) => name);
  const called = typeof wanted === "string" ? `sheet "${wanted}"` : `sheet ${wanted}`;
  const problem =
    wanted === undefined
      ? "the workbook has no sheet with cells"
      : `the workbook has ${sheet === undefined ? `no ${called}` : `a chart as ${called}, and no cells in it`}`;
  const [nearest] = typeof wanted === "string" ? closest(wanted, names, 1) : [];
  const isMistake = typeof wanted === "string" && nearest !== undefined && isTypingMistake(nearest, wanted);
  const hint = isMistake
    ? `did you mean "${nearest}"?`
    : `it has ${sheets.length}, which the option "sheet" names by name or by number, from 1`;
  throw new SourceError(owner, problem, {
    detail: `${owner}: ${problem}; its sheets are ${listNames(names)}`,
    facts: { where: wanted, sheets: sheets.length, ...(isMistake && { nearest }), hint },
  });
}
