import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { RunRow, RunRowFilter } from "../contracts/run-detail.ts";

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
  for (const field of plainFields) {
    const values = rows.map((row) => row[field]);
    if (values.some((value) => value !== null)) columns[field] = values;
  }
  const block: Block = {
    count: rows.length,
    positions: rows.map(({ position }, index) => position - (rows[index - 1]?.position ?? 0)),
    pks: rows.map(({ pk }) => pk),
    columns,
    categories: namedColumns(rows.map(({ categories }) => categories)),
    confidences: namedColumns(rows.map(({ confidences }) => confidences)),
  };
  const marks = [
    ...markedFields.flatMap((field) =>
      [...new Set(columns[field])].flatMap((value) => (value === null ? [] : [markOf(field, value)])),
    ),
    ...block.categories.flatMap(([, values]) =>
      [...new Set(values)].flatMap((name) => (name === null ? [] : [markOf("category", name)])),
    ),
  ];
  return { marks: JSON.stringify(marks), block: deflateRawSync(JSON.stringify(block), { level: 1 }) };
}

const markedFields = ["outcome", "step", "errorCode"] as const;

function markOf(field: string, value: Plain): string {
  return `${field} ${value}`;
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
export function marksFor(filter: RunRowFilter): readonly string[] {
  return ([...markedFields, "category"] as const).flatMap((field) => {
    const value = filter[field];
    return value === undefined ? [] : [markOf(field, value)];
  });
}

export function isMeant(row: RunRow, filter: RunRowFilter): boolean {
  const { outcome, step, errorCode, category, pk } = filter;
  if (outcome !== undefined && row.outcome !== outcome) return false;
  if (step !== undefined && row.step !== step) return false;
  if (errorCode !== undefined && row.errorCode !== errorCode) return false;
  if (pk !== undefined && row.pk !== pk) return false;
  return category === undefined || Object.values(row.categories).includes(category);
}

function namedColumns(records: readonly Readonly<Record<string, Plain>>[]): readonly NamedColumn[] {
  const columns = new Map<string, Plain[]>();
  for (const [index, record] of records.entries()) {
    for (const name of Object.keys(record)) {
      let column = columns.get(name);
      if (column === undefined) {
        column = records.map(() => null);
        columns.set(name, column);
      }
      column[index] = record[name] ?? null;
    }
  }
  return [...columns];
}

function valuesAt(columns: readonly NamedColumn[], index: number): Readonly<Record<string, Plain>> {
  const entries = columns.map(([name, values]) => [name, values[index] ?? null] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== null));
}
