import type { DatabaseSync } from "node:sqlite";
import { closest } from "../errors/closest.ts";
import { TargetError } from "../errors/sink.ts";
import { listNames } from "../errors/name-list.ts";
import { foldName, quoteIdentifier } from "./identifiers.ts";
import { describeTable, type Table, type TableColumn, tableNames, type UniqueKey } from "./table.ts";

export type Strategy = "merge" | "insert" | "update";

export interface TargetRequest {
  readonly sink: string;
  readonly databasePath: string;
  readonly table: string;
  readonly columns: readonly string[];
  readonly mergeKeys: readonly string[];
  readonly strategy: Strategy;
}

/** A table that fits: what is written, and by which key. */
export interface Target {
  readonly table: string;
  readonly strategy: Strategy;
  /** `mapped` is the column's name in the column map, which may differ in letter case. */
  readonly columns: readonly TargetColumn[];
  /** The merge keys' columns; none when inserting. */
  readonly keys: readonly TargetKey[];
}

export interface TargetColumn extends TableColumn {
  readonly mapped: string;
}

export interface TargetKey extends TargetColumn {
  readonly collation: string;
}

/**
 * Holds what is to be written against the table that is there.
 *
 * @throws {TargetError} naming what does not fit, what there is, and what to do
 */
export function findTarget(database: DatabaseSync, request: TargetRequest): Target {
  const table = findTable(database, request);
  const columns = request.columns.map((name) => findColumn(name, table, request));
  if (request.strategy !== "update") requireWholeRows(columns, table, request);
  return { table: table.name, strategy: request.strategy, columns, keys: findKeys(columns, table, request) };
}

function findTable(database: DatabaseSync, { sink, table: name, databasePath }: TargetRequest): Table {
  const table = describeTable(database, name);
  if (table === undefined) {
    const names = tableNames(database);
    const near = closest(name, names, 3);
    const hint =
      near.length > 0
        ? `closest: ${listNames(near)}`
        : names.length === 0
          ? "the database has no tables"
          : `there are ${listNames(names)}`;
    throw new TargetError(sink, `there is no table "${name}" in ${databasePath}; ${hint}`);
  }
  if (table.kind !== "table") {
    const advice = "a sink writes to a table only: name the table behind it";
    throw new TargetError(sink, `"${table.name}" in ${databasePath} is a ${table.kind} and not a table; ${advice}`);
  }
  return table;
}

function findColumn(mapped: string, table: Table, { sink }: TargetRequest): TargetColumn {
  const column = table.columns.find(({ name }) => foldName(name) === foldName(mapped));
  const names = table.columns.map(({ name }) => name);
  if (column === undefined) {
    const near = closest(mapped, names, 3);
    const hint = near.length === 0 ? "" : `; closest: ${listNames(near)}`;
    throw new TargetError(
      sink,
      `the table "${table.name}" has no column "${mapped}"; its columns are ${listNames(names)}${hint}`,
    );
  }
  if (column.isGenerated) {
    const advice = "the database computes it: take it out of the columnMap";
    throw new TargetError(sink, `the column "${column.name}" of "${table.name}" is generated; ${advice}`);
  }
  return { ...column, mapped };
}

function requireWholeRows(columns: readonly TargetColumn[], table: Table, { sink }: TargetRequest): void {
  const written = new Set(columns.map(({ name }) => name));
  const missing = table.columns.filter(
    ({ name, isNotNull, hasDefault, isGenerated, isRowid }) =>
      isNotNull && !hasDefault && !isGenerated && !isRowid && !written.has(name),
  );
  if (missing.length === 0) return;
  throw new TargetError(
    sink,
    `the table "${table.name}" has columns that are NOT NULL without a default and not in the columnMap: ` +
      `${listNames(missing.map(({ name }) => name))}; add them to the columnMap, or give them a default`,
  );
}

function findKeys(columns: readonly TargetColumn[], table: Table, request: TargetRequest): TargetKey[] {
  const keys = columns.filter(({ mapped }) => request.mergeKeys.includes(mapped));
  if (keys.length === 0) return [];
  const names = keys.map(({ name }) => name);
  const unique = table.uniqueKeys.find(
    (key) => key.columns.length === names.length && key.columns.every(({ name }) => names.includes(name)),
  );
  if (unique !== undefined) return keys.map((key) => withCollation(key, unique));
  const index = quoteIdentifier(`${table.name}_${names.join("_")}_unique`);
  const on = `${quoteIdentifier(table.name)} (${names.map(quoteIdentifier).join(", ")})`;
  throw new TargetError(
    request.sink,
    `the table "${table.name}" has no primary key or unique index over exactly the mergeKeys ${listNames(names)}, ` +
      `so a key could stand for more than one row; create one: CREATE UNIQUE INDEX ${index} ON ${on};`,
  );
}

function withCollation(key: TargetColumn, unique: UniqueKey): TargetKey {
  return { ...key, collation: unique.columns.find(({ name }) => name === key.name)?.collation ?? "BINARY" };
}
