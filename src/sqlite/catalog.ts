import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite";
import { checksIn } from "../table/check-choices.ts";
import { checkedLimit } from "../table/choices.ts";
import type { MissingTable, TableColumn, TableFacts, TableRequest, UniqueKey } from "../table/dialect.ts";
import { declaredLength, isDeclaredJSON } from "./declared-length.ts";
import { foldName, quoteIdentifier } from "./identifiers.ts";
import { type Affinity, type EnforcedType, fitValue, overlongProblem } from "./values.ts";

export interface SQLiteColumn extends TableColumn<SQLInputValue> {
  readonly affinity: Affinity;
  /** `INTEGER PRIMARY KEY`: the database gives it a value where a new row has none. */
  readonly isRowid: boolean;
}

/** The table to describe. `coerces`: its columns take texts that spell numbers also where their digits change. */
export interface SQLiteRequest extends Pick<TableRequest, "table" | "strategy"> {
  readonly coerces: boolean;
}

/** Reads what the database knows of a table, whatever the letter case of its name. */
export function describeTable(
  database: DatabaseSync,
  { table: { table: name }, strategy, coerces }: SQLiteRequest,
): Omit<TableFacts<SQLiteColumn, SQLInputValue>, "place"> | Omit<MissingTable, "place"> {
  const found = allRows(
    database,
    "SELECT name, type, wr AS isWithoutRowid, strict FROM pragma_table_list WHERE schema = 'main'",
  ).find((row) => foldName(text(row["name"])) === foldName(name));
  if (found === undefined) {
    return { wanted: name, otherTables: tableNames(database), ifNone: "the database has no tables" };
  }
  const tableName = text(found["name"]);
  const indexes = allRows(database, "SELECT * FROM pragma_index_list(?, 'main')", tableName);
  const rows = allRows(database, "SELECT * FROM pragma_table_xinfo(?, 'main')", tableName);
  // A rowid's primary key is the one that has no index.
  const hasRowidKey = found["isWithoutRowid"] === 0 && !indexes.some((index) => index["origin"] === "pk");
  const [schema] = allRows(database, "SELECT sql FROM main.sqlite_schema WHERE name = ?", tableName);
  const uniqueKeys = indexes
    .filter((index) => index["unique"] === 1 && index["partial"] === 0)
    .flatMap((index) => keyOf(database, text(index["name"]), index["origin"] === "pk"));
  const keyColumns = new Set(uniqueKeys.flatMap(({ columns: parts }) => parts.map((part) => part.name)));
  const isStrict = found["strict"] === 1;
  const context = { isStrict, hasRowidKey, tableSQL: text(schema?.["sql"]), strategy, coerces, keyColumns };
  const columns = rows.map((row) => describeColumn(row, context));
  const rowidKeys = columns
    .filter((column) => column.isRowid)
    .map((column) => ({ index: "", isPrimary: true, unusable: undefined, columns: [{ name: column.name }] }));
  const kind = text(found["type"]);
  const advice = "a sink writes to a table only: name the table behind it";
  return {
    name: tableName,
    quoted: quoteIdentifier(tableName),
    problem: kind === "table" ? undefined : `is a ${kind} and not a table; ${advice}`,
    columns,
    uniqueKeys: [...rowidKeys, ...uniqueKeys],
    foldName,
  };
}

function tableNames(database: DatabaseSync): string[] {
  const sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'";
  return allRows(database, sql).map((row) => text(row["name"]));
}

type Row = Readonly<Record<string, SQLOutputValue>>;

function allRows(database: DatabaseSync, sql: string, ...values: string[]): Row[] {
  return database.prepare(sql).all(...values);
}

function text(value: SQLOutputValue | undefined): string {
  return typeof value === "string" ? value : "";
}

interface ColumnContext extends Omit<SQLiteRequest, "table"> {
  readonly isStrict: boolean;
  readonly hasRowidKey: boolean;
  readonly tableSQL: string;
  /** The columns of its unique keys, but for a rowid. */
  readonly keyColumns: ReadonlySet<string>;
}

function describeColumn(row: Row, context: ColumnContext): SQLiteColumn {
  const { isStrict, hasRowidKey, tableSQL, strategy, coerces, keyColumns } = context;
  const name = text(row["name"]);
  const declaredType = text(row["type"]).toUpperCase();
  const affinity = affinityOf(declaredType, isStrict);
  const isRowid = hasRowidKey && row["pk"] === 1;
  const isTyped = isStrict && declaredType !== "ANY" && affinity !== "NUMERIC";
  const enforcedType: EnforcedType | undefined = isRowid ? "INTEGER" : isTyped ? affinity : undefined;
  const isKey = isRowid || keyColumns.has(name);
  const storage = { affinity, enforcedType, isKey, isJSON: isDeclaredJSON(name, declaredType, tableSQL), coerces };
  const maxLength = declaredLength(name, declaredType, tableSQL);
  const defaultSQL = row["dflt_value"];
  const hasDefault = typeof defaultSQL === "string" && defaultSQL.toUpperCase() !== "NULL";
  const isGenerated = row["hidden"] === 2 || row["hidden"] === 3;
  const isNotNull = row["notnull"] === 1;
  return {
    name,
    affinity,
    isRowid,
    isNullable: isRowid ? strategy !== "update" : !isNotNull,
    isRequired: isNotNull && !hasDefault && !isGenerated && !isRowid,
    problem: isGenerated ? "is generated; the database computes it: take it out of the columnMap" : undefined,
    fit: (value) => fitValue(value, storage),
    limit: maxLength === undefined ? {} : { maxLength },
    exceeds: maxLength === undefined ? undefined : (value) => overlongProblem(value, maxLength),
    ...checkedLimit(checksIn(tableSQL), {
      isColumn: (checked) => foldName(checked) === foldName(name),
      holdsNumbers: affinity !== "TEXT" && affinity !== "BLOB",
      fold: /\bCOLLATE\b/i.test(tableSQL) ? (one) => foldName(one).trimEnd() : undefined,
    }),
  };
}

/** https://www.sqlite.org/datatype3.html, section 3.1: the rules in their order. */
function affinityOf(declaredType: string, isStrict: boolean): Affinity {
  if (declaredType.includes("INT")) return "INTEGER";
  if (/CHAR|CLOB|TEXT/.test(declaredType)) return "TEXT";
  if (declaredType === "" || declaredType.includes("BLOB") || (isStrict && declaredType === "ANY")) return "BLOB";
  return /REAL|FLOA|DOUB/.test(declaredType) ? "REAL" : "NUMERIC";
}

function keyOf(database: DatabaseSync, index: string, isPrimary: boolean): UniqueKey[] {
  const parts = allRows(database, "SELECT * FROM pragma_index_xinfo(?, 'main') WHERE key = 1", index);
  if (parts.some((part) => part["name"] === null)) return []; // over an expression
  const columns = parts.map((part) => ({ name: text(part["name"]), collation: text(part["coll"]) }));
  return [{ index, isPrimary, unusable: undefined, columns }];
}
