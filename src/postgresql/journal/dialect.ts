import { byColumn } from "../../journal-tables/columns.ts";
import type { GivenColumns, JournalDialect } from "../../journal-tables/database.ts";
import { type ColumnKind, isBytes, isLong, tables } from "../../journal-tables/tables.ts";
import { keyPlace } from "../../journal-tables/statements.ts";
import { readOnlyProblem } from "../connect/server-state.ts";
import { quoteIdentifier } from "../names.ts";

const toValue: JournalDialect["toValue"] = (kind, cell) => (isBytes(kind) && cell !== null ? `\\x${cell}` : cell);

export function typeOf(kind: ColumnKind): string {
  if (isBytes(kind)) return "bytea";
  return kind === "json" ? "json" : kind === "whole" ? "bigint" : "text";
}

function list(names: readonly string[]): string {
  return names.map(quoteIdentifier).join(", ");
}

function arrayAt([, kind]: GivenColumns[number], place: number): string {
  const [at, type] = [`$${place}`, typeOf(kind)];
  return isLong(kind) ? `ARRAY(SELECT json_array_elements_text(${at}::json)::${type})` : `${at}::${type}[]`;
}

/** Lines come as an array for each column; one of long texts as JSON, for which the driver has no work. Values of results are text, or null. */
export const dialect: JournalDialect = {
  quote: quoteIdentifier,
  parameter: (number) => `$${number}`,
  toValue,
  toCell: (kind, value) => {
    if (typeof value !== "string") return null;
    return isBytes(kind) ? value.slice(2) : value;
  },
  begins: (column, value) => `starts_with(${column}, ${value})`,
  has: (column, value) => `position(${value} in ${column}) > 0`,
  lines: (columns, lines, values) => {
    const arrays = columns.map((column, index) => arrayAt(column, values.length + index + 1));
    values.push(...byColumn(columns, lines, toValue));
    return `unnest(${arrays.join(", ")}) WITH ORDINALITY AS k(${list([...columns.map(([name]) => name), keyPlace])})`;
  },
  put: (table, key, columns, k) => {
    const others = columns.filter((column) => !key.includes(column)).map(quoteIdentifier);
    const sets = others.map((column) => `${column} = excluded.${column}`).join(", ");
    const conflict = `ON CONFLICT (${list(key)}) DO ${sets === "" ? "NOTHING" : `UPDATE SET ${sets}`}`;
    return `INSERT INTO ${table} (${list(columns)}) SELECT ${list(columns)} FROM ${k} ${key.length === 0 ? "" : conflict}`;
  },
  admit: (pipelines, sessions, forWhat) =>
    `WITH held AS (SELECT 1 FROM ${pipelines} WHERE name = $1 AND epoch = $2 FOR ${forWhat === "alone" ? "UPDATE" : "SHARE"}), admitted AS (
    UPDATE ${sessions} SET last_save = $4 WHERE session = $3 AND last_save < $4 AND EXISTS (SELECT FROM held)
    RETURNING floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now,
      set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true) AS commits,
      set_config('idle_in_transaction_session_timeout', '30s', true) AS silence) -- of a machine that is gone: it has the line locked
    SELECT ${forWhat === "at-once" ? "1 / count(*)" : "*"} FROM admitted`, // to divide by 0 is an error: the changes that follow are not made
  held: (pipelines) =>
    `SELECT p.* FROM ${pipelines} p WHERE EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND lpad(to_hex(l.classid::bigint), 8, '0') || lpad(to_hex(l.objid::bigint), 8, '0') = p.lock_name
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY p.number DESC`,
  state: async (ask, schema) => {
    const [line] = await ask(
      `SELECT bool_and(has_table_privilege(c.oid, p))::text AS may,
        'has the encoding ' || nullif(nullif(current_setting('server_encoding'), 'UTF8'), 'SQL_ASCII') AS unfit -- the latter keeps any bytes
      FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) p, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = ANY ($2)`,
      [schema, Object.values(tables).map(({ name }) => name)],
    );
    const unfit = typeof line?.["unfit"] === "string" ? line["unfit"] : undefined;
    return { mayWrite: line?.["may"] === "true", readOnly: await readOnlyProblem(ask), unfit };
  },
};
