import { collationOf, encodeCodePage } from "./collation.ts";
import { compareNullable, keyOf } from "./compare.ts";
import { fromJavaScript, isVariant, type TooLong } from "./convert.ts";
import { SQLError } from "./sql-error.ts";
import { family, isUnicode, type SQLType, textOf, type Value } from "./sql-type.ts";
import type { ResultColumn } from "./tokens.ts";

export type Values = readonly Value[];

/** A row of a table: its values are replaced whole, so that whoever reads may keep the old ones. */
export interface Row {
  values: Values;
}

export interface Column extends ResultColumn {
  readonly defaultValue?: () => Value;
  /** From the values of the other columns. */
  readonly compute?: (values: Values) => Value;
  readonly identitySeed?: readonly [seed: number, step: number];
}

export interface UniqueIndex {
  readonly name: string;
  readonly primary: boolean;
  /** Made by CREATE INDEX: error 2601 instead of 2627. */
  readonly index: boolean;
  readonly ignoresDuplicates: boolean;
  readonly columns: readonly number[];
  readonly rows: Map<string, Row>;
}

export interface Check {
  readonly name: string;
  /** False refuses; NULL does not. */
  readonly holds: (values: Values) => boolean | null;
}

/** One change of one row: inserted where it had no values before, deleted where it has none after. */
export interface Change {
  readonly table: Table;
  readonly row: Row;
  readonly before: Values | undefined;
  readonly after: Values | undefined;
}

/** A row leaves a place in an index, takes one, or both. */
interface Move {
  readonly index: UniqueIndex;
  readonly row: Row;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly values: Values;
}

let rowVersion = 2000n;

/** What MIN_ACTIVE_ROWVERSION gives: the least version that one of these changes gave, or else the next one. */
export function leastRowVersion(uncommitted: Iterable<Change>): Buffer {
  let least = versionOf(rowVersion + 1n);
  for (const { table, after } of uncommitted) {
    const value = after?.[table.columns.findIndex(({ type }) => type.name === "timestamp")];
    if (Buffer.isBuffer(value) && value.compare(least) < 0) least = value;
  }
  return least;
}

function versionOf(version: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(version);
  return bytes;
}

export class Table {
  readonly database: string;
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly Column[];
  readonly rows: Set<Row> = new Set();
  readonly indexes: UniqueIndex[] = [];
  readonly checks: Check[] = [];
  /** Says that there are triggers: OUTPUT without INTO is refused, and their row counts come between ours. */
  triggers = false;
  /** Wants QUOTED_IDENTIFIER and ANSI_NULLS on, as a table with a filtered index or an indexed view does. */
  wantsSettings = false;
  /** Rows that are made while they are read, instead of `rows`. */
  generated: (() => Iterable<Values>) | undefined;
  #identity: number | undefined;
  readonly #sorted = new Map<number, readonly Row[]>();
  readonly #rowOf = new WeakMap<Values, Row>();

  constructor(database: string, schema: string, name: string, columns: readonly Column[]) {
    this.database = database;
    this.schema = schema;
    this.name = name;
    this.columns = columns;
  }

  get qualifiedName(): string {
    return `${this.schema}.${this.name}`;
  }

  get isTemporary(): boolean {
    return this.name.startsWith("#");
  }

  columnIndex(name: string): number {
    const folded = name.toLowerCase();
    return this.columns.findIndex((column) => column.name.toLowerCase() === folded);
  }

  addIndex(index: Omit<UniqueIndex, "rows">): void {
    const full: UniqueIndex = { ...index, rows: new Map() };
    for (const row of this.rows) {
      const key = rowKey(full.columns, this.columns, row.values);
      if (full.rows.has(key)) throw this.#duplicate(full, row.values);
      full.rows.set(key, row);
    }
    this.indexes.push(full);
  }

  /** The row that has exactly these values, as `rows` gave them. */
  rowOf(values: Values): Row | undefined {
    return this.#rowOf.get(values);
  }

  resetIdentity(): void {
    this.#identity = undefined;
  }

  nextIdentity([seed, step]: readonly [number, number]): number {
    this.#identity = this.#identity === undefined ? seed : this.#identity + step;
    return this.#identity;
  }

  nextRowVersion(): Buffer {
    rowVersion += 1n;
    return versionOf(rowVersion);
  }

  /** For a column: what is longer than declared is an error, named as the server's version names it. */
  tooLong(column: ResultColumn, named: boolean): TooLong {
    return (value) => {
      const table = `${this.database}.${this.qualifiedName}`;
      return named
        ? new SQLError(
            2628,
            `String or binary data would be truncated in table '${table}', column '${column.name}'. Truncated value: '${value}'.`,
          )
        : new SQLError(8152, "String or binary data would be truncated.", { state: 10 });
    };
  }

  /** Puts all changes in, or none: constraints are looked at once all are in. */
  apply(changes: readonly Change[], verb: "INSERT" | "UPDATE" | "MERGE" | "DELETE", skipChecks = false): void {
    for (const { after } of changes) if (after !== undefined) this.#validate(after, verb, skipChecks);
    const moves = changes.flatMap((change) => this.#moves(change.row, change.before, change.after));
    for (const { index, from, row } of moves) if (index.rows.get(from ?? "") === row) index.rows.delete(from ?? "");
    try {
      for (const { index, to, row, values } of moves) {
        if (to === undefined) continue;
        if (index.rows.has(to)) throw this.#duplicate(index, values);
        index.rows.set(to, row);
      }
    } catch (error) {
      this.#moveBack(moves);
      throw error;
    }
    if (moves.length > 0) this.#sorted.clear();
    for (const { row, after } of changes) this.#store(row, after);
  }

  /** Takes a change back. */
  revert({ row, before, after }: Change): void {
    const moves = this.#moves(row, before, after);
    this.#moveBack(moves);
    if (moves.length > 0) this.#sorted.clear();
    this.#store(row, before);
  }

  /** The rows in the order of a column; kept until a key of any index changes. */
  sorted(column: number): readonly Row[] {
    const { type } = this.columns[column] ?? {};
    const known = this.#sorted.get(column);
    if (known !== undefined || type === undefined) return known ?? [];
    const at = (row: Row) => row.values[column] ?? null;
    const rows = [...this.rows].toSorted((a, b) => compareNullable(at(a), at(b), type));
    this.#sorted.set(column, rows);
    return rows;
  }

  /** Where the row stands in the indexes before and after, if that is not the same place. */
  #moves(row: Row, before: Values | undefined, after: Values | undefined): Move[] {
    return this.indexes.flatMap((index): Move[] => {
      const [from, to] = [before, after].map((values) => values && rowKey(index.columns, this.columns, values));
      return from === to ? [] : [{ index, row, from, to, values: after ?? [] }];
    });
  }

  #moveBack(moves: readonly Move[]): void {
    for (const { index, to, row } of moves) if (index.rows.get(to ?? "") === row) index.rows.delete(to ?? "");
    for (const { index, from, row } of moves) if (from !== undefined) index.rows.set(from, row);
  }

  #store(row: Row, values: Values | undefined): void {
    if (values === undefined) this.rows.delete(row);
    else {
      row.values = values;
      this.rows.add(row);
      this.#rowOf.set(values, row);
    }
  }

  #duplicate(index: UniqueIndex, values: Values): SQLError {
    const shown = `The duplicate key value is (${index.columns.map((column) => textOf(values[column] ?? "<NULL>")).join(", ")}).`;
    const object = `'${this.qualifiedName}'`;
    if (index.index) {
      return new SQLError(
        2601,
        `Cannot insert duplicate key row in object ${object} with unique index '${index.name}'. ${shown}`,
      );
    }
    const kind = index.primary ? "PRIMARY KEY" : "UNIQUE KEY";
    return new SQLError(
      2627,
      `Violation of ${kind} constraint '${index.name}'. Cannot insert duplicate key in object ${object}. ${shown}`,
    );
  }

  #validate(values: Values, verb: string, skipChecks: boolean): void {
    const table = `${this.database}.${this.qualifiedName}`;
    const what = verb === "MERGE" ? "UPDATE" : verb;
    for (const [index, column] of this.columns.entries()) {
      if (column.nullable || (values[index] ?? null) !== null) continue;
      const message = `Cannot insert the value NULL into column '${column.name}', table '${table}'; column does not allow nulls. ${what} fails.`;
      throw new SQLError(515, message, { state: 2 });
    }
    for (const check of skipChecks ? [] : this.checks) {
      if (check.holds(values) !== false) continue;
      const where = `The conflict occurred in database "${this.database}", table "${this.qualifiedName}".`;
      throw new SQLError(547, `The ${verb} statement conflicted with the CHECK constraint "${check.name}". ${where}`, {
        state: 0,
      });
    }
  }
}

/** NULL counts as one value, as in SQL Server's unique indexes. */
export function rowKey(indexes: readonly number[], columns: readonly Column[], values: Values): string {
  return JSON.stringify(
    indexes.map((index) => {
      const column = columns[index];
      return column === undefined ? null : (keyOf(values[index] ?? null, column.type) ?? null);
    }),
  );
}

/** A value of a test for a cell; bytes as text are not guessed. */
export function cellOf(value: unknown, type: SQLType, tooLong: TooLong): Value {
  if (type.name === "sql_variant" && typeof value === "object" && value !== null && "type" in value) {
    // A variant that a test made, with the type that it wants.
    return isVariant(value as Value) ? (value as Value) : null;
  }
  return fromJavaScript(value, type, tooLong);
}

/** Bytes that a value takes, as DATALENGTH counts. */
export function dataLength(value: Value, type: SQLType): number {
  if (Buffer.isBuffer(value)) return value.length;
  const text = textOf(value);
  return isUnicode(type) || family(type) !== "text"
    ? text.length * 2
    : encodeCodePage(text, collationOf(type.collation ?? "")).length;
}
