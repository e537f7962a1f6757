import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { declaredLength } from "./declared-length.ts";
import { foldName } from "./identifiers.ts";

export type Affinity = "INTEGER" | "TEXT" | "BLOB" | "REAL" | "NUMERIC";

export interface TableColumn {
  readonly name: string;
  readonly affinity: Affinity;
  /** The type that the column holds to, other than by affinity: of a STRICT table, or of a rowid. */
  readonly enforcedType: "INTEGER" | "REAL" | "TEXT" | "BLOB" | undefined;
  /** How many characters it is declared to hold. */
  readonly maxLength: number | undefined;
  readonly isNotNull: boolean;
  readonly hasDefault: boolean;
  readonly isGenerated: boolean;
  /** `INTEGER PRIMARY KEY`: the database gives it a value where a row has none. */
  readonly isRowid: boolean;
}

/** Columns that no two rows share: of a unique index over whole columns and all rows, or of the primary key. */
export interface UniqueKey {
  readonly columns: readonly { readonly name: string; readonly collation: string }[];
}

export interface Table {
  readonly name: string;
  readonly kind: string;
  readonly columns: readonly TableColumn[];
  readonly uniqueKeys: readonly UniqueKey[];
}

export function tableNames(database: DatabaseSync): string[] {
  const sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'";
  return allRows(database, sql).map((row) => text(row["name"]));
}

/** What the database knows of a table, whatever the letter case of its name; undefined if there is none. */
export function describeTable(database: DatabaseSync, name: string): Table | undefined {
  const found = allRows(
    database,
    "SELECT name, type, wr AS isWithoutRowid, strict FROM pragma_table_list WHERE schema = 'main'",
  ).find((row) => foldName(text(row["name"])) === foldName(name));
  if (found === undefined) return undefined;
  const tableName = text(found["name"]);
  const indexes = allRows(database, "SELECT * FROM pragma_index_list(?, 'main')", tableName);
  const rows = allRows(database, "SELECT * FROM pragma_table_xinfo(?, 'main')", tableName);
  // A rowid's primary key is the one that has no index.
  const hasRowidKey = found["isWithoutRowid"] === 0 && !indexes.some((index) => index["origin"] === "pk");
  const [schema] = allRows(database, "SELECT sql FROM main.sqlite_schema WHERE name = ?", tableName);
  const facts = { isStrict: found["strict"] === 1, hasRowidKey, tableSQL: text(schema?.["sql"]) };
  const columns = rows.map((row) => describeColumn(row, facts));
  const uniqueKeys = indexes
    .filter((index) => index["unique"] === 1 && index["partial"] === 0)
    .flatMap((index) => keyOf(database, text(index["name"])));
  const rowidKeys = columns
    .filter((column) => column.isRowid)
    .map((column) => ({ columns: [{ name: column.name, collation: "BINARY" }] }));
  return { name: tableName, kind: text(found["type"]), columns, uniqueKeys: [...rowidKeys, ...uniqueKeys] };
}

type Row = Readonly<Record<string, SQLOutputValue>>;

function allRows(database: DatabaseSync, sql: string, ...values: string[]): Row[] {
  return database.prepare(sql).all(...values);
}

function text(value: SQLOutputValue | undefined): string {
  return typeof value === "string" ? value : "";
}

interface TableFacts {
  readonly isStrict: boolean;
  readonly hasRowidKey: boolean;
  readonly tableSQL: string;
}

function describeColumn(row: Row, { isStrict, hasRowidKey, tableSQL }: TableFacts): TableColumn {
  const declaredType = text(row["type"]).toUpperCase();
  const affinity = affinityOf(declaredType, isStrict);
  const isRowid = hasRowidKey && row["pk"] === 1;
  const enforcedType = isStrict && declaredType !== "ANY" && affinity !== "NUMERIC" ? affinity : undefined;
  const defaultSQL = row["dflt_value"];
  return {
    name: text(row["name"]),
    affinity,
    enforcedType: isRowid ? "INTEGER" : enforcedType,
    maxLength: declaredLength(text(row["name"]), declaredType, tableSQL),
    isNotNull: row["notnull"] === 1,
    hasDefault: typeof defaultSQL === "string" && defaultSQL.toUpperCase() !== "NULL",
    isGenerated: row["hidden"] === 2 || row["hidden"] === 3,
    isRowid,
  };
}

/** https://www.sqlite.org/datatype3.html, section 3.1: the rules in their order. */
function affinityOf(declaredType: string, isStrict: boolean): Affinity {
  if (declaredType.includes("INT")) return "INTEGER";
  if (/CHAR|CLOB|TEXT/.test(declaredType)) return "TEXT";
  if (declaredType === "" || declaredType.includes("BLOB") || (isStrict && declaredType === "ANY")) return "BLOB";
  return /REAL|FLOA|DOUB/.test(declaredType) ? "REAL" : "NUMERIC";
}

function keyOf(database: DatabaseSync, index: string): UniqueKey[] {
  const parts = allRows(database, "SELECT * FROM pragma_index_xinfo(?, 'main') WHERE key = 1", index);
  if (parts.some((part) => part["name"] === null)) return []; // over an expression
  return [{ columns: parts.map((part) => ({ name: text(part["name"]), collation: text(part["coll"]) })) }];
}
