import type { UniqueKey } from "../../table/dialect.ts";
import type { OpenConnection } from "../connect/connection.ts";
import type { DeclaredType } from "./column-type.ts";

/** A table as the database describes it. */
export interface Catalog {
  readonly server: CatalogServer;
  /** Undefined if there is no table of that name, or none that the login may see. */
  readonly table: CatalogTable | undefined;
  readonly columns: readonly CatalogColumn[];
  readonly uniqueKeys: readonly UniqueKey[];
  /** The checks of the table, as the server writes them: `([status]='b' OR [status]='a')`. */
  readonly checks: readonly string[];
  /** Other tables, where the one that was asked for is not there: `schema.table`. */
  readonly otherTables: readonly string[];
}

export interface CatalogServer {
  readonly database: string;
  readonly databaseCollation: string;
  readonly isReadOnly: boolean;
}

export interface CatalogTable {
  readonly schema: string;
  readonly name: string;
  /** As in sys.objects: U is a table, V a view, SN a synonym. */
  readonly kind: string;
  readonly isMemoryOptimized: boolean;
  readonly isExternal: boolean;
  /** The history of a temporal table: the server writes it. */
  readonly isHistory: boolean;
  readonly mayInsert: boolean;
}

export interface CatalogColumn extends DeclaredType {
  readonly name: string;
  readonly isNullable: boolean;
  readonly isIdentity: boolean;
  readonly isComputed: boolean;
  readonly hasDefault: boolean;
  /** The period of a temporal table, or a column of a ledger. */
  readonly isGenerated: boolean;
  readonly isColumnSet: boolean;
  readonly isEncrypted: boolean;
  readonly maySelect: boolean;
  readonly mayUpdate: boolean;
}

/** All in one round trip; `@table` is the table's quoted name. Columns are the catalog's since SQL Server 2016. */
export const catalogQuery = `/* llm-etl:target */
DECLARE @id INT = OBJECT_ID(@table);
SELECT DB_NAME() AS [database_name],
  CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS NVARCHAR(128)) AS [database_collation],
  CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS NVARCHAR(128)) AS [updateability];
SELECT s.[name] AS [schema_name], o.[name] AS [table_name], o.[type] AS [type],
  t.[is_memory_optimized] AS [is_memory_optimized], t.[is_external] AS [is_external], t.[temporal_type] AS [temporal_type],
  HAS_PERMS_BY_NAME(@table, 'OBJECT', 'INSERT') AS [may_insert]
FROM sys.objects AS o
INNER JOIN sys.schemas AS s ON s.[schema_id] = o.[schema_id]
LEFT JOIN sys.tables AS t ON t.[object_id] = o.[object_id]
WHERE o.[object_id] = @id;
SELECT c.[name] AS [column_name], COALESCE(b.[name], d.[name]) AS [type_name], c.[max_length] AS [max_length],
  c.[precision] AS [precision], c.[scale] AS [scale], c.[is_nullable] AS [is_nullable], c.[collation_name] AS [collation_name],
  CAST(COLLATIONPROPERTY(c.[collation_name], 'CodePage') AS INT) AS [code_page],
  c.[is_identity] AS [is_identity], c.[is_computed] AS [is_computed], c.[default_object_id] AS [default_object_id],
  c.[generated_always_type] AS [generated_always_type], c.[is_column_set] AS [is_column_set],
  c.[encryption_type] AS [encryption_type],
  HAS_PERMS_BY_NAME(@table, 'OBJECT', 'SELECT', c.[name], 'COLUMN') AS [may_select],
  HAS_PERMS_BY_NAME(@table, 'OBJECT', 'UPDATE', c.[name], 'COLUMN') AS [may_update]
FROM sys.columns AS c
INNER JOIN sys.types AS d ON d.[user_type_id] = c.[user_type_id]
LEFT JOIN sys.types AS b ON b.[user_type_id] = c.[system_type_id]
WHERE c.[object_id] = @id
ORDER BY c.[column_id];
SELECT i.[name] AS [index_name], i.[is_primary_key] AS [is_primary_key], i.[has_filter] AS [has_filter],
  i.[is_disabled] AS [is_disabled], c.[name] AS [column_name]
FROM sys.indexes AS i
INNER JOIN sys.index_columns AS x ON x.[object_id] = i.[object_id] AND x.[index_id] = i.[index_id]
INNER JOIN sys.columns AS c ON c.[object_id] = x.[object_id] AND c.[column_id] = x.[column_id]
WHERE i.[object_id] = @id AND i.[is_unique] = 1 AND i.[is_hypothetical] = 0 AND x.[key_ordinal] > 0
ORDER BY i.[index_id], x.[key_ordinal];
SELECT TOP (1000) s.[name] AS [schema_name], o.[name] AS [table_name]
FROM sys.objects AS o
INNER JOIN sys.schemas AS s ON s.[schema_id] = o.[schema_id]
WHERE @id IS NULL AND o.[type] = 'U' AND o.[is_ms_shipped] = 0
ORDER BY s.[name], o.[name];
SELECT k.[definition] AS [definition]
FROM sys.check_constraints AS k
WHERE k.[parent_object_id] = @id AND k.[is_disabled] = 0 AND k.[definition] IS NOT NULL;`;

/** Asks the database for all that there is to know of the table, in one round trip. */
export async function readCatalog({ pool, driver }: OpenConnection, quotedTable: string): Promise<Catalog> {
  const request = pool.request().input("table", driver.NVarChar(driver.MAX), quotedTable);
  request.arrayRowMode = false; // a pool of the user's may have it as its default
  const { recordsets } = await request.query(catalogQuery);
  const [server = [], table = [], columns = [], keys = [], others = [], checks = []] = Array.isArray(recordsets)
    ? recordsets
    : [];
  return {
    server: catalogServer(server[0] ?? {}),
    table: table[0] === undefined ? undefined : catalogTable(table[0]),
    columns: columns.map(catalogColumn),
    uniqueKeys: uniqueKeys(keys),
    checks: checks.map((row) => text(row, "definition")),
    otherTables: others.map((row) => `${text(row, "schema_name")}.${text(row, "table_name")}`),
  };
}

type Row = Readonly<Record<string, unknown>>;

function text(row: Row, name: string): string {
  const value = row[name];
  return typeof value === "string" ? value : "";
}

/** A bit, an int, or NULL for no. */
function flag(row: Row, name: string): boolean {
  return Number(row[name] ?? 0) !== 0;
}

/** NULL means that the server can't tell, as for a name that is too long: then the write will. */
function permitted(row: Row, name: string): boolean {
  return row[name] === null || row[name] === undefined || flag(row, name);
}

function catalogServer(row: Row): CatalogServer {
  return {
    database: text(row, "database_name"),
    databaseCollation: text(row, "database_collation"),
    isReadOnly: text(row, "updateability") === "READ_ONLY",
  };
}

function catalogTable(row: Row): CatalogTable {
  return {
    schema: text(row, "schema_name"),
    name: text(row, "table_name"),
    kind: text(row, "type").trim(),
    isMemoryOptimized: flag(row, "is_memory_optimized"),
    isExternal: flag(row, "is_external"),
    isHistory: Number(row["temporal_type"] ?? 0) === 1,
    mayInsert: permitted(row, "may_insert"),
  };
}

function catalogColumn(row: Row): CatalogColumn {
  const type = text(row, "type_name").toLowerCase();
  const bytes = Number(row["max_length"]);
  const isMax = bytes === -1;
  return {
    name: text(row, "column_name"),
    type,
    length: isMax ? undefined : type === "nchar" || type === "nvarchar" ? bytes / 2 : bytes,
    precision: Number(row["precision"] ?? 0),
    scale: Number(row["scale"] ?? 0),
    collation: text(row, "collation_name") || undefined,
    codePage: Number(row["code_page"] ?? 0),
    isNullable: flag(row, "is_nullable"),
    isIdentity: flag(row, "is_identity"),
    isComputed: flag(row, "is_computed"),
    hasDefault: flag(row, "default_object_id"),
    isGenerated: flag(row, "generated_always_type"),
    isColumnSet: flag(row, "is_column_set"),
    isEncrypted: row["encryption_type"] !== null && row["encryption_type"] !== undefined,
    maySelect: permitted(row, "may_select"),
    mayUpdate: permitted(row, "may_update"),
  };
}

/** A row per column of each key, the columns of a key one after the other. */
function uniqueKeys(rows: readonly Row[]): UniqueKey[] {
  const byIndex = Map.groupBy(rows, (row) => text(row, "index_name"));
  return [...byIndex].map(([index, parts]) => {
    const [first = {}] = parts;
    return {
      index,
      isPrimary: flag(first, "is_primary_key"),
      unusable: flag(first, "is_disabled") ? "disabled" : flag(first, "has_filter") ? "filtered" : undefined,
      columns: parts.map((row) => ({ name: text(row, "column_name") })),
    };
  });
}
