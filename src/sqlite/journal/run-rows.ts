import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { RunRow, RunRowFilter } from "../../contracts/run-detail.ts";

/**
 * Rows of a run, by columns: a column whose values are all null is left out. An unchanged row is some three bytes of a compressed block; as a
 * line of its own, with an index, it would cost more than all else that is done for it.
 */
interface Block {
  readonly count: number;
  /** Each as the difference to the one before. */
  readonly positions: readonly number[];
  readonly pks: readonly (string | null)[];
  readonly columns: Readonly<Partial<Record<PlainField, readonly Plain[]>>>;
  readonly categories: readonly NamedColumn[];
  readonly confidences: readonly NamedColumn[];
}

type Plain = string | number | null;
type NamedColumn = readonly [name: string, values: readonly Plain[]];

const plainFields = ["outcome", "step", "errorCode", "errorMessage", "cost"] as const;
type PlainField = (typeof plainFields)[number];

/** Rows as the bytes of a block, and marks of what a filter may ask for that one of them has. */
export function blockOf(rows: readonly RunRow[]): { readonly marks: string; readonly block: Buffer } {
  const columns: Partial<Record<PlainField, readonly Plain[]>> = {};
  const marks = new Set<string>();
  for (const field of plainFields) {
    const values = rows.map((row) => row[field]);
    if (values.some((value) => value !== null)) columns[field] = values;
  }
  for (const row of rows) for (const mark of marksOf(row)) marks.add(mark);
  const block: Block = {
    count: rows.length,
    positions: rows.map(({ position }, index) => position - (rows[index - 1]?.position ?? 0)),
    pks: rows.map(({ pk }) => pk),
    columns,
    categories: namedColumns(rows.map(({ categories }) => categories)),
    confidences: namedColumns(rows.map(({ confidences }) => confidences)),
  };
  return { marks: JSON.stringify([...marks]), block: deflateRawSync(JSON.stringify(block), { level: 1 }) };
}

/** The rows of a block. */
export function rowsOf(bytes: Uint8Array): readonly RunRow[] {
  const block: Block = JSON.parse(inflateRawSync(bytes).toString()); // made by blockOf
  const { count, positions, pks, columns, categories, confidences } = block;
  let position = 0;
  return Array.from({ length: count }, (_, index) => {
    position += positions[index] ?? 0;
    const plain = Object.fromEntries(plainFields.map((field) => [field, columns[field]?.[index] ?? null]));
    const named = { categories: valuesAt(categories, index), confidences: valuesAt(confidences, index) };
    return { position, pk: pks[index] ?? null, ...plain, ...named } as RunRow; // as blockOf was given it
  });
}

/** The marks that a block must have to hold a row that a filter lets through. */
export function marksFor({ outcome, step, errorCode, category }: RunRowFilter): readonly string[] {
  return namedMarks({ outcome, step, errorCode, categories: category === undefined ? [] : [category] });
}

export function isMeant(row: RunRow, filter: RunRowFilter): boolean {
  const { outcome, step, errorCode, category, pk } = filter;
  if (outcome !== undefined && row.outcome !== outcome) return false;
  if (step !== undefined && row.step !== step) return false;
  if (errorCode !== undefined && row.errorCode !== errorCode) return false;
  if (pk !== undefined && row.pk !== pk) return false;
  return category === undefined || Object.values(row.categories).includes(category);
}

function marksOf({ categories, ...row }: RunRow): readonly string[] {
  return namedMarks({ ...row, categories: Object.values(categories) });
}

function namedMarks(row: {
  readonly outcome?: string | null | undefined;
  readonly step?: string | null | undefined;
  readonly errorCode?: string | null | undefined;
  readonly categories: readonly string[];
}): readonly string[] {
  const marks = row.categories.map((name) => `category ${name}`);
  for (const field of ["outcome", "step", "errorCode"] as const) {
    const value = row[field];
    if (value !== null && value !== undefined) marks.push(`${field} ${value}`);
  }
  return marks;
}

function namedColumns(records: readonly Readonly<Record<string, Plain>>[]): readonly NamedColumn[] {
  const names = new Set(records.flatMap((record) => Object.keys(record)));
  return [...names].map((name) => [
    name,
    records.map((record) => (Object.hasOwn(record, name) ? (record[name] ?? null) : null)),
  ]);
}

function valuesAt(columns: readonly NamedColumn[], index: number): Readonly<Record<string, Plain>> {
  const entries = columns.map(([name, values]) => [name, values[index] ?? null] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== null));
}
