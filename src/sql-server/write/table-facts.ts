import { TargetError } from "../../errors/sink.ts";
import { checkedLimit } from "../../table/choices.ts";
import type { MissingTable, TableFacts, TableRequest } from "../../table/dialect.ts";
import type { ConnectionPlace } from "../connect/connection-errors.ts";
import { quoteTableName } from "../identifiers.ts";
import type { Catalog, CatalogColumn, CatalogTable } from "./catalog.ts";
import { columnType, type SQLServerColumn, unwritableType } from "./column-type.ts";
import { foldText } from "./keys.ts";
import type { StagedValue } from "../../table/fit.ts";

/**
 * The catalog in the terms of the kit for tables.
 *
 * @throws {TargetError} for a database that is read-only
 */
export function tableFacts(
  { server: { database, databaseCollation, isReadOnly }, table, columns, uniqueKeys, checks, otherTables }: Catalog,
  { server, database: connected }: ConnectionPlace,
  request: Pick<TableRequest, "sink" | "table" | "strategy" | "mergeKeys">,
): TableFacts<SQLServerColumn, StagedValue> | MissingTable {
  const place = `${server}/${connected ?? database}`;
  if (table === undefined) {
    const { schema = "dbo", table: name } = request.table;
    const note = ", or the login may not see it";
    return { place, wanted: `${schema}.${name}`, note, otherTables, ifNone: "the login sees no table there" };
  }
  const { schema, name, mayInsert } = table;
  const problem = tableProblem(table);
  if (problem === undefined && isReadOnly) {
    const hint = "take ApplicationIntent=ReadOnly out of the connection string, or name the primary";
    throw new TargetError(request.sink, `the database ${place} is read-only`, { facts: { where: place, hint } });
  }
  const ignoresCase = databaseCollation.toUpperCase().split("_").includes("CI");
  return {
    place,
    name: `${schema}.${name}`,
    quoted: quoteTableName({ schema, table: name }),
    problem,
    columns: columns.map((column) => columnFacts(column, checks, request)),
    uniqueKeys,
    foldName: (column) => (ignoresCase ? column.toLowerCase() : column),
    mayInsert,
  };
}

function tableProblem({ kind, isMemoryOptimized, isExternal, isHistory }: CatalogTable): string | undefined {
  const kinds: Readonly<Record<string, string>> = { V: "a view", SN: "a synonym" };
  if (kind !== "U") return `is ${kinds[kind] ?? "no table"}: name the table behind it`;
  if (isMemoryOptimized)
    return "is memory-optimized, which takes no MERGE and no locking hints: write to a table on disk";
  if (isExternal) return "is external, and can't be written";
  return isHistory ? "is the history of a temporal table, which the server writes: name the temporal table" : undefined;
}

function columnFacts(
  column: CatalogColumn,
  checks: readonly string[],
  request: Pick<TableRequest, "strategy" | "mergeKeys">,
): SQLServerColumn {
  const { name, type, collation, isNullable, hasDefault, isIdentity, isComputed, isGenerated, maySelect, mayUpdate } =
    column;
  const isFilled = hasDefault || isIdentity || isComputed || isGenerated || type === "timestamp";
  const problem = columnProblem(column, request);
  return {
    ...(columnType(column) ?? unwritableType),
    ...checkedLimit(checks, {
      isColumn: (checked) => checked.toLowerCase() === name.toLowerCase(),
      holdsNumbers: collation === undefined,
      fold: (text) => foldText(text, collation ?? ""),
    }),
    name,
    isNullable,
    isRequired: !isNullable && !isFilled,
    problem,
    maySelect,
    mayUpdate,
  };
}

const takeOut = "take it out of the columnMap";

/** Why the column can't be written. */
function columnProblem(
  column: CatalogColumn,
  { strategy, mergeKeys }: Pick<TableRequest, "strategy" | "mergeKeys">,
): string | undefined {
  // Found by, but not written: the one use of a column that the server fills.
  const isFoundBy = strategy === "update" && mergeKeys.some((key) => key.toLowerCase() === column.name.toLowerCase());
  if (column.isIdentity && !isFoundBy) {
    const find = `use strategy "update" to find rows by it`;
    return `is an identity, to which the server gives its values: ${takeOut}, or ${find}`;
  }
  if (column.isComputed) return `is computed by the server: ${takeOut}`;
  if (column.type === "timestamp") return `is a rowversion, which the server writes: ${takeOut}`;
  if (column.isGenerated) return `is GENERATED ALWAYS, so the server writes it: ${takeOut}`;
  if (column.isColumnSet) return "is a column set of sparse columns: map the columns themselves";
  if (column.isEncrypted) return `is encrypted with Always Encrypted, which llm-etl can't write: ${takeOut}`;
  if (columnType(column) !== undefined) return undefined;
  const instead = replacements.get(column.type);
  const advice = instead === undefined ? "" : `, or make it ${instead}`;
  return `is of the type ${column.type.toUpperCase()}, which can't be written: ${takeOut}${advice}`;
}

const replacements: ReadonlyMap<string, string> = new Map([
  ["text", "VARCHAR(MAX)"],
  ["ntext", "NVARCHAR(MAX)"],
  ["image", "VARBINARY(MAX)"],
]);
