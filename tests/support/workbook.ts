import { storedPart, zipEnd } from "../../src/excel/zip-writer.ts";

/** An archive with these parts, as the parts of a workbook are kept. */
export function archiveOf(parts: Readonly<Record<string, string>>): Buffer {
  const pieces: Buffer[] = [];
  const list = [];
  let offset = 0;
  for (const [name, text] of Object.entries(parts)) {
    const [bytes, part] = storedPart(name, text, offset);
    pieces.push(bytes);
    list.push(part);
    offset += bytes.length;
  }
  return Buffer.concat([...pieces, zipEnd(list, offset)]);
}

const types = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

function relations(...targets: readonly (readonly [kind: string, target: string])[]): string {
  const items = targets.map(
    ([kind, target], index) => `<Relationship Id="rId${index + 1}" Type="${types}/${kind}" Target="${target}"/>`,
  );
  return `<Relationships>${items.join("")}</Relationships>`;
}

interface Written {
  /** The XML within `sheetData`. */
  readonly rows: string;
  /** The XML of the shared texts. */
  readonly texts?: string;
  /** The codes of number formats: those of style 1, 2 and so on. */
  readonly formats?: readonly string[];
  /** Attributes of `workbookPr`. */
  readonly settings?: string;
  /** Other parts, or others in the place of these. */
  readonly parts?: Readonly<Record<string, string>>;
}

/** The parts of a workbook with one sheet, written by hand. */
export function partsOf({
  rows,
  texts = "",
  formats = [],
  settings = "",
  parts = {},
}: Written): Readonly<Record<string, string>> {
  const own = formats.map((code, index) => `<numFmt numFmtId="${200 + index}" formatCode="${code}"/>`).join("");
  const styles = formats.map((_, index) => `<xf numFmtId="${200 + index}"/>`).join("");
  return {
    "_rels/.rels": relations(["officeDocument", "xl/workbook.xml"]),
    "xl/workbook.xml": `<workbook xmlns:r="r"><workbookPr ${settings}/><sheets><sheet name="S" sheetId="1" r:id="rId1"/></sheets></workbook>`,
    "xl/_rels/workbook.xml.rels": relations(
      ["worksheet", "worksheets/sheet1.xml"],
      ["sharedStrings", "sharedStrings.xml"],
      ["styles", "/xl/styles.xml"],
    ),
    "xl/sharedStrings.xml": `<sst>${texts}</sst>`,
    "xl/styles.xml": `<styleSheet><numFmts>${own}</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/>${styles}</cellXfs></styleSheet>`,
    "xl/worksheets/sheet1.xml": `<worksheet><sheetData>${rows}</sheetData></worksheet>`,
    ...parts,
  };
}

export function workbookOf(written: Written): Buffer {
  return archiveOf(partsOf(written));
}
