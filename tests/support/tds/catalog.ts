import { type Database, type Session, isOn } from "./database.ts";
import { splitPath } from "./functions.ts";
import {
  catalogPrecision,
  catalogScale,
  describeType,
  family,
  maximumBytes,
  type SQLType,
  type Value,
} from "./sql-type.ts";
import type { ResultColumn, ResultSet } from "./tokens.ts";

/** A query that a test, or this file, answers without parsing it. */
export interface CatalogStatement {
  readonly text: string;
  /** By name, without @, in lower case. */
  readonly parameters: Readonly<Record<string, Value>>;
  readonly session: Session;
}

export type CatalogHandler = (statement: CatalogStatement) => readonly ResultSet[];

const text: SQLType = { name: "nvarchar", length: 4000 };
const int: SQLType = { name: "int" };
const bit: SQLType = { name: "bit" };

/** A result set of columns with their types and of rows by position. */
export function resultSet(columns: Readonly<Record<string, SQLType>>, rows: readonly (readonly Value[])[]): ResultSet {
  const described = Object.entries(columns).map(([name, type]): ResultColumn => ({ name, type, nullable: true }));
  return { columns: described, rows };
}

/**
 * The ready-made answers. A query with such a marker in a comment (`/*`, blank, marker, blank, and the end) is not run; the table is its parameter `@table` (a name as T-SQL writes it).
 * - `llm-etl:server`: one row, as `serverColumns`.
 * - `llm-etl:table`: one row of a table that is there, as `tableColumns`; none else.
 * - `llm-etl:columns`: a row per column in order, as `columnColumns`.
 * - `llm-etl:keys`: a row per column of each unique index, as `keyColumns`.
 * - `llm-etl:journal`: one row of what a journal needs to know of its database and schema, as `journalColumns`.
 */
export const catalogMarkers: Readonly<Record<string, CatalogHandler>> = {
  "/* llm-etl:server */": ({ session }) => [resultSet(serverColumns, [serverRow(session.database, session)])],
  "/* llm-etl:table */": (statement) => {
    const table = named(statement);
    return [
      resultSet(
        tableColumns,
        table === undefined ? [] : [[table.schema, table.name, "U", table.triggers, table.isTemporary]],
      ),
    ];
  },
  "/* llm-etl:columns */": (statement) => [resultSet(columnColumns, columnRows(statement))],
  "/* llm-etl:keys */": (statement) => [resultSet(keyColumns, keyRows(statement))],
  "/* llm-etl:journal */": () => [resultSet(journalColumns, [[true, "READ_WRITE", 0, 160]])],
};

export const serverColumns = {
  product_version: text,
  engine_edition: int,
  edition: text,
  database_name: text,
  database_collation: text,
  server_collation: text,
  compatibility_level: int,
  is_read_committed_snapshot_on: bit,
  is_xact_abort_on: bit,
} as const;

export const journalColumns = {
  may_write: bit,
  updateability: text,
  /** 2 is FORCED. */
  delayed_durability: int,
  compatibility_level: int,
} as const;

export const tableColumns = {
  schema_name: text,
  table_name: text,
  type: text,
  has_triggers: bit,
  is_temporary: bit,
} as const;

/** As sys.columns and sys.types have them. `max_length` is in bytes, -1 for max; `full_type` is as a declaration has it. */
export const columnColumns = {
  column_id: int,
  column_name: text,
  type_name: text,
  full_type: text,
  max_length: int,
  precision: int,
  scale: int,
  is_nullable: bit,
  collation_name: text,
  is_identity: bit,
  is_computed: bit,
  is_rowversion: bit,
  has_default: bit,
} as const;

export const keyColumns = {
  index_name: text,
  is_primary_key: bit,
  is_unique: bit,
  has_filter: bit,
  is_disabled: bit,
  ignore_dup_key: bit,
  key_ordinal: int,
  column_name: text,
} as const;

function named({ parameters, session }: CatalogStatement): ReturnType<Database["find"]> {
  const name =
    parameters["table"] ??
    parameters["targettable"] ??
    Object.values(parameters).find((value) => typeof value === "string");
  return typeof name === "string" ? session.database.find(splitPath(name), session) : undefined;
}

function serverRow({ options }: Database, session: Session): Value[] {
  const major = Number.parseInt(options.productVersion, 10);
  return [
    options.productVersion,
    options.engineEdition,
    options.engineEdition >= 5 ? "SQL Azure" : "Developer Edition (64-bit)",
    options.name,
    options.collation,
    options.serverCollation,
    major * 10,
    options.snapshot,
    isOn(session, "XACT_ABORT"),
  ];
}

function columnRows(statement: CatalogStatement): Value[][] {
  const columns = named(statement)?.columns ?? [];
  return columns.map((column, index) => {
    const { name, type, nullable, identity = false, compute, defaultValue } = column;
    return [
      index + 1,
      name,
      type.name,
      describeType(type),
      maximumBytes(type),
      catalogPrecision(type),
      catalogScale(type),
      nullable,
      family(type) === "text" && type.name !== "xml" ? (type.collation ?? null) : null,
      identity,
      compute !== undefined,
      type.name === "timestamp",
      defaultValue !== undefined,
    ];
  });
}

function keyRows(statement: CatalogStatement): Value[][] {
  const table = named(statement);
  const indexes = table?.indexes ?? [];
  return indexes.flatMap(({ name, primary, ignoresDuplicates, columns }) =>
    columns.map((column, index): Value[] => {
      return [name, primary, true, false, false, ignoresDuplicates, index + 1, table?.columns[column]?.name ?? null];
    }),
  );
}

/** What sp_describe_first_result_set and its function say of a query's columns. */
export function describeColumns(columns: readonly ResultColumn[]): ResultSet {
  const described = {
    is_hidden: bit,
    column_ordinal: int,
    name: text,
    is_nullable: bit,
    system_type_id: int,
    system_type_name: text,
    max_length: { name: "smallint" },
    precision: { name: "tinyint" },
    scale: { name: "tinyint" },
    collation_name: text,
    user_type_name: text,
    is_identity_column: bit,
    is_computed_column: bit,
    is_updateable: bit,
    error_number: int,
    error_message: text,
  } as const;
  const rows = columns.map((column, index): Value[] => {
    const { name, type, nullable, identity = false, computed = false } = column;
    const assembly = family(type) === "udt";
    return [
      false,
      index + 1,
      name === "" ? null : name,
      nullable,
      systemTypeIds[type.name] ?? 240,
      assembly ? null : describeType(type),
      maximumBytes(type),
      catalogPrecision(type),
      catalogScale(type),
      family(type) === "text" && type.name !== "xml" ? (type.collation ?? null) : null,
      assembly ? type.name : null,
      identity,
      computed,
      !identity && !computed,
      null,
      null,
    ];
  });
  return resultSet(described, rows);
}

const systemTypeIds: Readonly<Record<string, number>> = {
  image: 34,
  text: 35,
  uniqueidentifier: 36,
  date: 40,
  time: 41,
  datetime2: 42,
  datetimeoffset: 43,
  tinyint: 48,
  smallint: 52,
  int: 56,
  smalldatetime: 58,
  real: 59,
  money: 60,
  datetime: 61,
  float: 62,
  sql_variant: 98,
  ntext: 99,
  bit: 104,
  decimal: 106,
  numeric: 108,
  smallmoney: 122,
  bigint: 127,
  varbinary: 165,
  varchar: 167,
  binary: 173,
  char: 175,
  timestamp: 189,
  nvarchar: 231,
  nchar: 239,
  xml: 241,
};
