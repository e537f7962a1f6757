import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import type { RowPiece } from "./query-rows.ts";

/** A column of a result, and how its texts become JavaScript values. */
export interface ResultColumn {
  readonly name: string;
  /** As the catalog calls it: int8, timestamptz, _text. */
  readonly type: string;
  readonly typeID: number;
  readonly read: (text: string) => unknown;
}

export type Columns = readonly ResultColumn[];
export type Texts = (string | null)[];
export type Page = RowPiece<Texts>;

/** A driver's answer, each cell as the server writes it. */
export interface TextResult {
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
  readonly rows: readonly Texts[];
}

/** A query's name in messages, and what makes an error of it. */
interface Failing {
  readonly where: string;
  readonly fail: (problem: string, options: ErrorOptions) => Error;
}

/** @throws the error of `fail` where the columns are others than those that were described: a table was altered meanwhile */
export function pageOf(columns: Columns, { fields, rows }: TextResult, { where, fail }: Failing): Page {
  const isSame = ({ name, typeID }: ResultColumn, index: number): boolean =>
    fields[index]?.name === name && fields[index].dataTypeID === typeID;
  if (fields.length !== columns.length || !columns.every(isSame)) {
    const facts = { where, hint: "a table was altered during the reading: run again" };
    throw fail(`${where} gives other columns than before`, { facts });
  }
  const toRow = (texts: Texts): Record<string, unknown> => {
    const entries = columns.map(({ name, read }, index): [string, unknown] => {
      const text = texts[index] ?? null;
      return [name, text === null ? null : read(text)];
    });
    return Object.fromEntries(entries);
  };
  return { rows, toRow };
}
