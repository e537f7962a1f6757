import { closest } from "../../errors/closest.ts";
import { TargetError } from "../../errors/sink.ts";
import { listNames } from "../../errors/name-list.ts";
import type { Catalog, ColumnFacts, TableFacts, UniqueKey } from "./catalog.ts";
import { type ColumnType, columnType } from "./column-type.ts";
import { quoteIdentifier, quoteTableName } from "../identifiers.ts";

export type Strategy = "merge" | "update_insert" | "insert" | "update";

export interface TargetRequest {
  readonly sink: string;
  /** Server and database, for messages. */
  readonly place: string;
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly string[];
  readonly mergeKeys: readonly string[];
  readonly strategy: Strategy;
}

/** A table that fits: what is written, and by which key. */
export interface Target {
  /** Quoted, with its schema. */
  readonly table: string;
  readonly strategy: Strategy;
  readonly columns: readonly TargetColumn[];
  /** Those of `columns` that are the merge keys; none when inserting. */
  readonly keys: readonly TargetColumn[];
  /** Those of `columns` that no two rows share, if there are such: by them an insert whose commit is in doubt is found. */
  readonly proof: readonly TargetColumn[];
  /** Of the table's columns and indexes: what an error of the server's may name. */
  readonly names: ReadonlySet<string>;
}

export interface TargetColumn {
  readonly name: string;
  /** Its name in the column map, which may differ in letter case. */
  readonly mapped: string;
  /** In the staging table: `c0`, `c1`, … */
  readonly stagedAs: string;
  readonly isNullable: boolean;
  readonly type: ColumnType;
}

interface Found extends TargetColumn {
  readonly facts: ColumnFacts;
}

/**
 * Holds what is to be written against the table that is there.
 *
 * @throws {TargetError} naming what does not fit, what there is, and what to do
 */
export function findTarget(catalog: Catalog, request: TargetRequest): Target {
  const table = findTable(catalog, request);
  const fault = (problem: string): TargetError => new TargetError(request.sink, problem);
  const where = nameOf(table);
  if (catalog.server.isReadOnly) {
    const advice = "take ApplicationIntent=ReadOnly out of the connection string, or name the primary";
    throw fault(`the database ${request.place} is read-only; ${advice}`);
  }
  const columns = request.columns.map((mapped, index): Found => {
    const facts = findColumn(mapped, catalog, where, fault);
    return { ...writable(facts, request, where, fault), mapped, stagedAs: `c${index}`, facts };
  });
  requireOnce(columns, fault);
  if (request.strategy !== "update") requireWholeRows(columns, catalog.columns, where, fault);
  const keys = findKeys(columns, catalog.uniqueKeys, table, request, fault);
  requirePermissions(columns, keys, table, request, fault);
  const proof = findProof(columns, catalog.uniqueKeys);
  const written = columns.map(withoutFacts);
  const among = (some: readonly Found[]): TargetColumn[] =>
    written.filter(({ name }) => some.some((column) => column.name === name));
  return {
    table: quoteTableName({ schema: table.schema, table: table.name }),
    strategy: request.strategy,
    columns: written,
    keys: among(keys),
    proof: among(proof),
    names: new Set([...catalog.columns.map(({ name }) => name), ...catalog.uniqueKeys.map(({ index }) => index)]),
  };
}

type Fault = (problem: string) => TargetError;

function nameOf({ schema, name }: Pick<TableFacts, "schema" | "name">): string {
  return JSON.stringify(`${schema}.${name}`);
}

function withoutFacts({ name, mapped, stagedAs, isNullable, type }: Found): TargetColumn {
  return { name, mapped, stagedAs, isNullable, type };
}

function findTable({ table, otherTables }: Catalog, { sink, place, schema, table: name }: TargetRequest): TableFacts {
  const wanted = `${schema}.${name}`;
  if (table === undefined) {
    const near = closest(wanted, otherTables, 3);
    const sameName = otherTables.filter((other) => other.toLowerCase().endsWith(`.${name.toLowerCase()}`));
    const candidates = [...new Set([...sameName, ...near])];
    const hint =
      candidates.length > 0
        ? `closest: ${listNames(candidates)}`
        : otherTables.length === 0
          ? "the login sees no table there"
          : `there are ${listNames(otherTables)}`;
    throw new TargetError(
      sink,
      `there is no table ${JSON.stringify(wanted)} in ${place}, or the login may not see it; ${hint}`,
    );
  }
  const kinds: Readonly<Record<string, string>> = { V: "a view", SN: "a synonym" };
  const problem =
    table.kind !== "U"
      ? `is ${kinds[table.kind] ?? "no table"}: name the table behind it`
      : table.isMemoryOptimized
        ? "is memory-optimized, which takes no MERGE and no locking hints: write to a table on disk"
        : table.isExternal
          ? "is external, and can't be written"
          : table.isHistory
            ? "is the history of a temporal table, which the server writes: name the temporal table"
            : undefined;
  if (problem === undefined) return table;
  throw new TargetError(sink, `${nameOf(table)} in ${place} ${problem}`);
}

function findColumn(mapped: string, { columns, server }: Catalog, where: string, fault: Fault): ColumnFacts {
  const exact = columns.find(({ name }) => name === mapped);
  const ignoresCase = server.databaseCollation.toUpperCase().split("_").includes("CI");
  const folded = columns.find(({ name }) => name.toLowerCase() === mapped.toLowerCase());
  const column = exact ?? (ignoresCase ? folded : undefined);
  if (column !== undefined) return column;
  const names = columns.map(({ name }) => name);
  const near = closest(mapped, names, 3);
  const hint = near.length === 0 ? "" : `; closest: ${listNames(near)}`;
  const note = folded === undefined ? "" : " (the database tells upper case from lower)";
  throw fault(`the table ${where} has no column "${mapped}"${note}; its columns are ${listNames(names)}${hint}`);
}

function writable(
  facts: ColumnFacts,
  { strategy, mergeKeys }: TargetRequest,
  where: string,
  fault: Fault,
): Pick<TargetColumn, "name" | "isNullable" | "type"> {
  const { name, isNullable } = facts;
  const refuse = (problem: string): TargetError => fault(`the column "${name}" of ${where} ${problem}`);
  const takeOut = "take it out of the columnMap";
  // Found by, but not written: the one use of a column that the server fills.
  const isFoundBy = strategy === "update" && mergeKeys.some((key) => key.toLowerCase() === name.toLowerCase());
  if (facts.isIdentity && !isFoundBy) {
    const find = `use strategy "update" to find rows by it`;
    throw refuse(`is an identity, to which the server gives its values: ${takeOut}, or ${find}`);
  }
  if (facts.isComputed) throw refuse(`is computed by the server: ${takeOut}`);
  if (facts.type === "timestamp") throw refuse(`is a rowversion, which the server writes: ${takeOut}`);
  if (facts.isGenerated) throw refuse(`is GENERATED ALWAYS, so the server writes it: ${takeOut}`);
  if (facts.isColumnSet) throw refuse("is a column set of sparse columns: map the columns themselves");
  if (facts.isEncrypted) throw refuse(`is encrypted with Always Encrypted, which llm-etl can't write: ${takeOut}`);
  const type = columnType(facts);
  if (type !== undefined) return { name, isNullable, type };
  const replaced: Readonly<Record<string, string>> = {
    text: "VARCHAR(MAX)",
    ntext: "NVARCHAR(MAX)",
    image: "VARBINARY(MAX)",
  };
  const instead = replaced[facts.type];
  const advice = instead === undefined ? "" : `, or make it ${instead}`;
  throw refuse(`is of the type ${facts.type.toUpperCase()}, which can't be written: ${takeOut}${advice}`);
}

function requireOnce(columns: readonly Found[], fault: Fault): void {
  for (const [index, { name, mapped }] of columns.entries()) {
    const first = columns.findIndex((column) => column.name === name);
    if (first === index) continue;
    throw fault(
      `the columnMap has "${columns[first]?.mapped ?? ""}" and "${mapped}", which are one column: map it once`,
    );
  }
}

function requireWholeRows(columns: readonly Found[], all: readonly ColumnFacts[], where: string, fault: Fault): void {
  const written = new Set(columns.map(({ name }) => name));
  const missing = all.filter(
    ({ name, type, isNullable, hasDefault, isIdentity, isComputed, isGenerated }) =>
      !isNullable &&
      !hasDefault &&
      !isIdentity &&
      !isComputed &&
      !isGenerated &&
      type !== "timestamp" &&
      !written.has(name),
  );
  if (missing.length === 0) return;
  throw fault(
    `the table ${where} has columns that are NOT NULL without a default and not in the columnMap: ` +
      `${listNames(missing.map(({ name }) => name))}; add them to the columnMap, or give them a default`,
  );
}

function findKeys(
  columns: readonly Found[],
  uniqueKeys: readonly UniqueKey[],
  table: TableFacts,
  { mergeKeys }: TargetRequest,
  fault: Fault,
): Found[] {
  const keys = columns.filter(({ mapped }) => mergeKeys.includes(mapped));
  if (keys.length === 0) return [];
  const names = keys.map(({ name }) => name);
  const same = uniqueKeys.filter(
    (key) => key.columns.length === names.length && key.columns.every((name) => names.includes(name)),
  );
  if (same.some(({ unusable }) => unusable === undefined)) return keys;
  const [other] = same;
  const almost = other === undefined ? "" : ` (the index "${other.index}" is ${other.unusable})`;
  const index = quoteIdentifier(`${table.name}_${names.join("_")}_unique`.slice(0, 128));
  const on = `${quoteTableName({ schema: table.schema, table: table.name })} (${names.map(quoteIdentifier).join(", ")})`;
  throw fault(
    `the table ${nameOf(table)} has no primary key or unique index over exactly the mergeKeys ${listNames(names)}${almost}, ` +
      `so a key could stand for more than one row; create one: CREATE UNIQUE INDEX ${index} ON ${on};`,
  );
}

function requirePermissions(
  columns: readonly Found[],
  keys: readonly Found[],
  table: TableFacts,
  { strategy }: TargetRequest,
  fault: Fault,
): void {
  const updated = strategy === "insert" ? [] : columns.filter((column) => !keys.includes(column));
  const missing = [
    ...(strategy !== "update" && !table.mayInsert ? ["INSERT"] : []),
    ...(updated.some(({ facts }) => !facts.mayUpdate) ? ["UPDATE"] : []),
    ...(keys.some(({ facts }) => !facts.maySelect) ? ["SELECT"] : []),
  ];
  if (missing.length === 0) return;
  const on = quoteTableName({ schema: table.schema, table: table.name });
  throw fault(
    `the login may not ${missing.join(", ")} on ${nameOf(table)}; have it granted: ` +
      `GRANT SELECT${strategy === "update" ? "" : ", INSERT"}${strategy === "insert" ? "" : ", UPDATE"} ON ${on} TO <user>;`,
  );
}

/** The primary key before others. NULL is equal to NULL in an index but not in a comparison: such a column proves nothing. */
function findProof(columns: readonly Found[], uniqueKeys: readonly UniqueKey[]): Found[] {
  const usable = uniqueKeys
    .filter(({ unusable }) => unusable === undefined)
    .toSorted((left, right) => Number(right.isPrimary) - Number(left.isPrimary));
  for (const key of usable) {
    const found = columns.filter(({ name, isNullable }) => !isNullable && key.columns.includes(name));
    if (found.length === key.columns.length) return found;
  }
  return [];
}
