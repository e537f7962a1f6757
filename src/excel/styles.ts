import { damaged } from "./faults.ts";
import { meaningOfBuiltIn, meaningOfCode, type NumberMeaning } from "./number-format.ts";
import { type Opened, readPart } from "./workbook.ts";

const maxStyles = 1_000_000; // Excel has 65,490

/** The meaning of the numbers of a style, by the style's number. */
export type Styles = readonly NumberMeaning[];

/** Reads the number formats of a workbook. */
export async function readStyles(opened: Opened, part: string | undefined): Promise<Styles> {
  if (part === undefined || !opened.archive.has(part)) return [];
  const own = new Map<number, NumberMeaning>();
  const styles: NumberMeaning[] = [];
  let isInCells = false;
  await readPart(opened, part, {
    open: ({ name, attributes }) => {
      if (name === "cellXfs") isInCells = true;
      const id = Number(attributes["numFmtId"] ?? 0);
      if (name === "numFmt") own.set(id, meaningOfCode(attributes["formatCode"] ?? ""));
      if (name === "xf" && isInCells) styles.push(own.get(id) ?? meaningOfBuiltIn(id));
      if (styles.length > maxStyles) throw damaged(opened.owner, "it has more styles than Excel");
    },
    close: (name) => {
      if (name === "cellXfs") isInCells = false;
    },
  });
  return styles;
}
