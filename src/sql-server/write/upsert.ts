import { quoteIdentifier } from "../identifiers.ts";
import type { Target, TargetColumn } from "../../table/dialect.ts";
import type { SQLServerColumn } from "./column-type.ts";
import type { StagedValue } from "../../table/fit.ts";
import { rowColumn, stagedName, stagedRows, stagingTable } from "./staging.ts";

export type SQLServerTarget = Target<SQLServerColumn, StagedValue>;
type Columns = SQLServerTarget["columns"];

/** The statements that take the staged rows into the target. Names are quoted, values are in the staging table only. */
export interface Upsert {
  /** The settings of the session: indexed views, filtered indexes and computed columns reject writes under others. */
  readonly settings: readonly string[];
  /** Each names rows that can't be written; the batch is written where none does. */
  readonly checks: readonly string[];
  readonly write: readonly string[];
  /** Selects the result: with keys a row `row, k0, k1, …` for each that the target has now, else the `count` of those added. */
  readonly outcome: string;
}

/** As the columns of the result sets are called: a trigger may have some of its own. */
export const resultColumns = {
  lossy: "llm_etl_lossy",
  twice: "llm_etl_twice",
  row: "llm_etl_row",
  count: "llm_etl_count",
} as const;

/**
 * How long a statement waits for another connection's locks before it fails with 1222, in milliseconds: no longer than the sink may wait for
 * its server, but for a second.
 */
export function lockWaitMs(patienceMs: number): number {
  return Math.min(30_000, Math.max(1_000, Math.ceil(patienceMs)));
}

const row = quoteIdentifier(rowColumn);

export function upsert(target: SQLServerTarget, patienceMs: number = Infinity): Upsert {
  return {
    settings: settings(lockWaitMs(patienceMs)),
    checks: [...lossyChecks(target), ...(target.keys.length === 0 ? [] : [duplicateCheck(target)])],
    write: writes(target),
    outcome:
      target.keys.length === 0 ? `SELECT @@ROWCOUNT AS [${resultColumns.count}];` : storedKeys(target, target.keys),
  };
}

/** The statements as one text, for one round trip. */
export function upsertText({ settings: first, checks, write, outcome }: Upsert): string {
  let text = [`IF EXISTS (SELECT 1 FROM ${stagingTable})`, "BEGIN", ...write, outcome, "END"].join("\n");
  for (const check of checks.toReversed()) text = [check, "IF @@ROWCOUNT = 0", "BEGIN", text, "END"].join("\n");
  return [...first, text].join("\n");
}

/**
 * For an insert whose commit is in doubt: the staged rows that the target has, by the columns of its proof. All or none are there, since
 * they were added in one transaction, and before it none was.
 */
export function insertedRows(target: SQLServerTarget): string {
  return storedKeys(target, target.proof);
}

/** Deletes the rows of the target that have the keys of staged rows, counts those that are still there, and empties the staging table. */
export function removal({ table: { quoted: table }, keys }: SQLServerTarget, patienceMs: number): string {
  const join = `${stagedRows(keys)} AS s INNER JOIN ${table} AS t ON ${equalKeys(keys)};`;
  return [
    ...settings(lockWaitMs(patienceMs)),
    `DELETE t FROM ${join}`,
    `SELECT COUNT(*) AS [${resultColumns.count}] FROM ${join}`,
    `DELETE FROM ${stagingTable};`,
  ].join("\n");
}

/** Looks for a row: with these keys (`@k0`, `@k1`, …), or any; of columns to be `filled` it holds something in at least one. */
export function existsText({ table }: SQLServerTarget, keys: Columns, filled: Columns = []): string {
  const isFilled = filled.map(({ name }) => `t.${quoteIdentifier(name)} IS NOT NULL`).join(" OR ");
  const parts = keys.map(({ name, typed }, index) => `t.${quoteIdentifier(name)} = ${typed(`@k${index}`)}`);
  if (isFilled !== "") parts.push(`(${isFilled})`);
  const where = parts.length === 0 ? "" : ` WHERE ${parts.join(" AND ")}`;
  return `SELECT TOP (1) 1 AS [found] FROM ${table.quoted} AS t${where};`;
}

/** In sp_executesql they are undone as it ends: the session of a user's pool is left as it was. */
function settings(lockTimeoutMs: number): string[] {
  const on = [
    "ANSI_NULLS",
    "ANSI_PADDING",
    "ANSI_WARNINGS",
    "ARITHABORT",
    "CONCAT_NULL_YIELDS_NULL",
    "QUOTED_IDENTIFIER",
  ];
  return [
    ...[...on, "NOCOUNT", "XACT_ABORT"].map((option) => `SET ${option} ON;`),
    "SET NUMERIC_ROUNDABORT OFF;",
    `SET LOCK_TIMEOUT ${lockTimeoutMs};`,
  ];
}

/** Rows with text that does not come back from the column's code page as it was: `?` would be stored. */
function lossyChecks({ columns }: SQLServerTarget): string[] {
  const parts = columns.flatMap((column) => {
    if (!column.mayLoseCharacters) return [];
    const name = quoteIdentifier(stagedName(column));
    const kept = `CAST(CAST(${name} AS VARCHAR(MAX)) AS NVARCHAR(MAX)) COLLATE Latin1_General_BIN2`;
    return [
      `SELECT ${row} AS [${resultColumns.lossy}], ${column.place} AS [column] FROM ${stagingTable} WHERE ${kept} <> ${name}`,
    ];
  });
  return parts.length === 0 ? [] : [`${parts.join(" UNION ALL ")};`];
}

/** A row of each group of rows with one merge key, by the target's collation. */
function duplicateCheck({ keys }: SQLServerTarget): string {
  const names = keys.map(staged).join(", ");
  const last = `MAX(s.${row}) AS [${resultColumns.twice}]`;
  return `SELECT ${last} FROM ${stagedRows(keys)} AS s GROUP BY ${names} HAVING COUNT(*) > 1;`;
}

function writes({ table: { quoted: table }, strategy, columns, keys }: SQLServerTarget): string[] {
  const others = columns.filter(({ isKey }) => !isKey);
  const rows = stagedRows(columns);
  const names = columns.map(({ name }) => quoteIdentifier(name)).join(", ");
  const values = columns.map(staged).join(", ");
  const set = others.map((column) => `${quoteIdentifier(column.name)} = ${staged(column)}`).join(", ");
  const on = equalKeys(keys);
  const update = (hints: string): string =>
    `UPDATE t SET ${set} FROM ${rows} AS s INNER JOIN ${table} AS t${hints} ON ${on};`;
  if (strategy === "update") return [update("")];
  // In the order of the batch, so that an identity counts the rows as they came.
  if (strategy === "insert")
    return [`INSERT INTO ${table} (${names}) SELECT ${values} FROM ${rows} AS s ORDER BY s.${row};`];
  if (strategy === "update_insert") {
    const hints = " WITH (UPDLOCK, SERIALIZABLE)";
    const known = `SELECT 1 FROM ${table} AS t${hints} WHERE ${on}`;
    const insert = `INSERT INTO ${table} (${names}) SELECT ${values} FROM ${rows} AS s WHERE NOT EXISTS (${known});`;
    return others.length === 0 ? [insert] : [update(hints), insert];
  }
  const matched = others.length === 0 ? [] : [`WHEN MATCHED THEN UPDATE SET ${set}`];
  const missing = `WHEN NOT MATCHED BY TARGET THEN INSERT (${names}) VALUES (${values});`;
  // Without HOLDLOCK two runs could both find a key missing, and both insert it.
  return [[`MERGE INTO ${table} WITH (HOLDLOCK) AS t USING ${rows} AS s ON ${on}`, ...matched, missing].join("\n")];
}

/** The staged rows that the target has, each with the keys as they are stored: whatever spelling its collation takes for equal. */
function storedKeys({ table }: SQLServerTarget, keys: Columns): string {
  const stored = keys.map(({ name, isText }, index) => {
    return `CAST(t.${quoteIdentifier(name)} AS ${isText ? "NVARCHAR(4000)" : "VARBINARY(8000)"}) AS [k${index}]`;
  });
  const columns = [`s.${row} AS [${resultColumns.row}]`, ...stored].join(", ");
  return `SELECT ${columns} FROM ${stagedRows(keys)} AS s INNER JOIN ${table.quoted} AS t ON ${equalKeys(keys)};`;
}

function equalKeys(keys: Columns): string {
  return keys.map((key) => `t.${quoteIdentifier(key.name)} = ${staged(key)}`).join(" AND ");
}

function staged(column: TargetColumn<SQLServerColumn>): string {
  return `s.${quoteIdentifier(stagedName(column))}`;
}
