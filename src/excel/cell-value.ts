import { dateOfSerial, timeText } from "./dates.ts";
import { maxReadCharacters } from "./faults.ts";
import type { SharedTexts } from "./shared-texts.ts";
import type { Styles } from "./styles.ts";
import { decodeText } from "./text-escapes.ts";
import type { ExcelValue } from "./value.ts";
import { isTrue } from "./workbook.ts";

type FaultKind = "error" | "formula" | "date" | "long" | "damaged";

/** The reasons why a cell has no value, as they stand in messages. */
export const cellFaults: Readonly<Record<FaultKind, string>> = {
  error: "an error instead of a value (such as #N/A)",
  formula: "a formula without its result",
  date: "a number that is no date, with the format of one",
  long: `a text of more than ${maxReadCharacters} characters`,
  damaged: "content that no program writes",
};

/** A cell that has content but no value. */
export class CellFault {
  readonly kind: FaultKind;
  /** Its text in the file. */
  readonly text: string;

  constructor(kind: FaultKind, text: string) {
    this.kind = kind;
    this.text = text;
  }
}

/** A cell as it is in the file. */
export interface RawCell {
  readonly type: string;
  readonly style: number;
  /** Undefined where there is no value, or no text in the cell itself. */
  readonly value: string | undefined;
  /** The text that is in the cell itself; undefined where there is none. */
  readonly inlineText: string | undefined;
  readonly hasFormula: boolean;
}

/** All that the values of a sheet depend on. */
export interface CellContext {
  readonly texts: SharedTexts;
  readonly styles: Styles;
  readonly from1904: boolean;
}

/** The value of a cell, or why it has none; null for an empty one. */
export function valueOfCell(cell: RawCell, context: CellContext): ExcelValue | CellFault {
  const { type, value, inlineText, hasFormula } = cell;
  if (type === "inlineStr" || inlineText !== undefined) return textOf(inlineText ?? null);
  if (type === "str" && value !== undefined) return textOf(decodeText(value));
  if (value === undefined || value === "") return hasFormula ? new CellFault("formula", "") : null;
  switch (type) {
    case "s":
      return textOf(context.texts.at(Number(value)) ?? new CellFault("damaged", value));
    case "b":
      return isTrue(value);
    case "e":
      return new CellFault("error", value);
    case "d":
      return valueOfISO(value);
    default:
      return valueOfNumber(value, cell.style, context);
  }
}

function textOf(text: string | null | CellFault): string | null | CellFault {
  return typeof text === "string" && text.length > maxReadCharacters ? new CellFault("long", text.slice(0, 100)) : text;
}

/** A time of day is not rounded over midnight. */
const lastOfDay = 86_399_999 / 86_400_000;

/** Some programs write dates so, with the types of the standard. */
function valueOfISO(text: string): ExcelValue | CellFault {
  if (/^\d\d:\d\d(?::\d\d(?:\.\d+)?)?$/.test(text)) return text;
  const hasZone = /^[\d-]+$|Z$|[+-]\d\d:\d\d$/.test(text);
  const date = new Date(hasZone ? text : `${text}Z`);
  return Number.isNaN(date.getTime()) ? new CellFault("damaged", text) : date;
}

function valueOfNumber(text: string, style: number, { styles, from1904 }: CellContext): ExcelValue | CellFault {
  const number = Number(text);
  if (!Number.isFinite(number)) return new CellFault("damaged", text);
  const meaning = styles[style] ?? "number";
  if (meaning === "number") {
    const isLarge = Number.isInteger(number) && !Number.isSafeInteger(number);
    return isLarge && /^-?\d+$/.test(text) ? BigInt(text) : number;
  }
  const isTimeAlone = number >= 0 && number < 1 && (meaning === "time" || (number > 0 && !from1904));
  if (meaning === "duration") return timeText(number);
  if (isTimeAlone) return timeText(Math.min(number, lastOfDay));
  return dateOfSerial(number, from1904) ?? new CellFault("date", text);
}
