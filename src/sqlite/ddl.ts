import type { ColumnDescription } from "../contracts/target.ts";
import type { ColumnDefinition, TableDDL } from "../table/ddl.ts";
import { foldName, names, quoteIdentifier } from "./identifiers.ts";

/** Tables are STRICT, so that columns hold to their types. */
export const ddl: TableDDL = {
  names,
  definitions: ({ keys }) => {
    return (column) => definition(column, keys.includes(column.name));
  },
  options: " STRICT",
  tableProblem: (table) => {
    if (!foldName(table).startsWith("sqlite_")) return undefined;
    return "names that begin with sqlite_ are SQLite's own: take another";
  },
};

function definition(column: ColumnDescription, isKey: boolean): ColumnDefinition {
  const { sql, check, note } = typeOf(column);
  const parts = [sql, ...(column.isNullable && !isKey ? [] : ["NOT NULL"]), ...(check === undefined ? [] : [check])];
  return { sql: parts.join(" "), note };
}

/** The longest text that a SQLite database is built to hold, by default. */
const longestText = 1_000_000_000;

function typeOf({ name, type }: ColumnDescription): { sql: string; check?: string; note?: string } {
  switch (type.kind) {
    case "text": {
      const { maxLength = Infinity, isLimit } = type;
      if (!isLimit || maxLength > longestText) return { sql: "TEXT" };
      return { sql: "TEXT", check: `CHECK (length(${quoteIdentifier(name)}) <= ${Math.floor(maxLength)})` };
    }
    case "integer":
      return { sql: "INTEGER" };
    case "number":
      return { sql: "REAL" };
    case "boolean":
      return { sql: "INTEGER", check: `CHECK (${quoteIdentifier(name)} IN (0, 1))` };
    case "moment":
      return { sql: "TEXT", note: "ISO 8601" };
    case "date":
    case "uuid":
    case "digits":
      return { sql: "TEXT" };
    case "json":
      return { sql: "TEXT", check: `CHECK (json_valid(${quoteIdentifier(name)}))` }; // so the sink knows that it takes arrays and objects
    case "unknown":
    default:
      return { sql: "ANY", note: `any type, for ${type.reason}` };
  }
}
