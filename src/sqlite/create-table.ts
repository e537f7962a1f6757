import { createTable as layOut } from "../table/ddl.ts";
import { OptionError } from "../errors/option.ts";
import type { ColumnDescription, TargetDescription } from "../table/description.ts";
import { foldName, quoteIdentifier, tableInMain } from "./identifiers.ts";

/**
 * The statements that make a SQLite table for what a pipeline writes. It is STRICT, so that columns hold to their types.
 *
 * @throws {OptionError} if the table or a column can't have its name
 */
export function createTable(target: TargetDescription, table: string): string {
  const parsed = tableInMain(table);
  if (!parsed.ok) throw problem("--table", parsed.problem);
  requireName("--table", parsed.table);
  if (foldName(parsed.table).startsWith("sqlite_")) {
    throw problem("--table", "names that begin with sqlite_ are SQLite's own: take another");
  }
  const seen = new Set<string>();
  for (const { name } of target.columns) {
    requireName("columnMap", name);
    if (seen.has(foldName(name))) {
      throw problem("columnMap", `"${name}" is there twice: SQLite ignores the case of letters`);
    }
    seen.add(foldName(name));
  }
  return layOut(target, {
    table: quoteIdentifier(parsed.table),
    tableName: parsed.table,
    quote: quoteIdentifier,
    definition: (column) => definition(column, target.keys.includes(column.name)),
    options: " STRICT",
  });
}

function requireName(option: string, name: string): void {
  if (name !== "" && !name.includes("\0") && name.isWellFormed()) return;
  throw problem(option, "a name can't be empty, hold a NUL character or half of a surrogate pair");
}

function problem(option: string, text: string): OptionError {
  return new OptionError("sql create-table", option, text);
}

function definition(column: ColumnDescription, isKey: boolean): { sql: string; note?: string } {
  const { sql, check, note } = typeOf(column);
  const parts = [sql, ...(column.isNullable && !isKey ? [] : ["NOT NULL"]), ...(check === undefined ? [] : [check])];
  return { sql: parts.join(" "), ...(note !== undefined && { note }) };
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
      return {
        sql: "TEXT",
        note: "JSON: the sink takes no arrays or objects, so JSON.stringify them in the columnMap",
      };
    case "unknown":
    default:
      return { sql: "ANY", note: `any type, for ${type.reason}` };
  }
}
