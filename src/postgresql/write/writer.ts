import { finished } from "node:stream/promises";
import type { ClientBase, Pool } from "pg";
import type { StagedRow, TableConnection, TableWriter, Target, WriterErrors } from "../../table/dialect.ts";
import { type StagedDatabase, stagedWriter } from "../../table/staged-writer.ts";
import { inTransaction, withClient } from "../connect/client.ts";
import type { loadCopy } from "../connect/driver.ts";
import { driverFacts } from "../error-meaning.ts";
import { quoteIdentifier } from "../names.ts";
import type { PostgreSQLColumn } from "./column-type.ts";

export interface TargetConnection extends TableConnection {
  readonly pool: Pool;
  readonly copy: Awaited<ReturnType<typeof loadCopy>>;
  /** Server and database, for messages. */
  readonly place: string;
}

export type PostgreSQLTarget = Target<PostgreSQLColumn, string>;
type Columns = PostgreSQLTarget["columns"];
type Rows = readonly StagedRow<string>[];

/** Gone at the end of the transaction: behind a pooler another one may have the same session. */
const stage = "pg_temp.llm_etl_stage";

/** The longest time that another transaction's lock is waited for at once, in milliseconds. */
export const lockWaitMs = 30_000;

/** Writes batches, each in one transaction and five round trips: begin, make the stage, copy, write, commit. */
export function postgreSQLWriter(
  { pool, signal, copy }: TargetConnection,
  target: PostgreSQLTarget,
  errors: WriterErrors,
): TableWriter<PostgreSQLColumn, string> {
  const { table, columns, keys } = target;
  const statement = writeStatement(target);
  const cells = columns.map(({ place, staged }) => `, c${place} ${staged}`).join("");
  const database: StagedDatabase<ClientBase, PostgreSQLColumn, string> = {
    transaction: async (work, leftMs = lockWaitMs) => {
      const limits = { waitMs: leftMs, limitMs: Math.max(leftMs, 2 * lockWaitMs) };
      await inTransaction(pool, signal, async (client) => [undefined, await work(client)], limits);
    },
    stage: async (client, rows, leftMs = lockWaitMs) => {
      const waited = Math.max(1_000, Math.min(lockWaitMs, Math.ceil(leftMs)));
      const create = `CREATE TEMPORARY TABLE llm_etl_stage (r int${cells}) ON COMMIT DROP`;
      await client.query(`SET LOCAL lock_timeout = ${waited}; ${create}`);
      if (rows.length > 0) await load(client, copy, rows);
    },
    take: async (client) => {
      const { rowCount } = await client.query(statement).catch((error: unknown) => {
        throw driverFacts(error).states.includes("21000") ? errors.sameKey(undefined) : error;
      });
      return rowCount ?? 0;
    },
    stored: async (client, by) => {
      const stored = by.map(({ name }) => `t.${quoteIdentifier(name)}::text`).join(", ");
      const sql = `SELECT s.r, json_build_array(${stored}) AS key FROM ${stage} s JOIN ${table.quoted} t ON ${equalKeys(by)}`;
      const { rows } = await client.query<{ r: string; key: string }>(sql);
      return new Map(rows.map(({ r, key }) => [Number(r), JSON.stringify(JSON.parse(key))])); // spaced as the rows' own
    },
    find: async (key, filled) => {
      const parts = key.map((_, index) => `${quoteIdentifier(keys[index]?.name ?? "")} = $${index + 1}`);
      const isFilled = filled.map(({ name }) => `${quoteIdentifier(name)} IS NOT NULL`).join(" OR ");
      const where = [...parts, ...(isFilled === "" ? [] : [`(${isFilled})`]), "true"].join(" AND ");
      const sql = `SELECT FROM ${table.quoted} WHERE ${where} LIMIT 1`;
      return await withClient(pool, signal, async (client) => (await client.query(sql, [...key])).rowCount === 1);
    },
  };
  return stagedWriter(
    database,
    target,
    keys.every(({ isExact }) => isExact),
    errors,
  );
}

async function load(client: ClientBase, copy: TargetConnection["copy"], rows: Rows): Promise<void> {
  const stream = client.query(copy(`COPY ${stage} FROM STDIN`));
  const lines = rows.map(({ cells }, index) => [String(index), ...cells.map(copied)].join("\t"));
  stream.end(`${lines.join("\n")}\n`);
  await finished(stream);
}

/** A cell in COPY's text format. */
function copied(cell: string | null): string {
  return cell === null ? "\\N" : cell.replaceAll(/[\\\t\n\r]/g, (sign) => escapes[sign] ?? sign);
}

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

function writeStatement(target: PostgreSQLTarget): string {
  const {
    table: { quoted },
    strategy,
    columns,
    keys,
  } = target;
  const others = columns.filter(({ isKey }) => !isKey);
  if (strategy === "update") {
    const set = others.map(({ name, place }) => `${quoteIdentifier(name)} = s.c${place}`).join(", ");
    return `UPDATE ${quoted} t SET ${set} FROM ${stage} s WHERE ${equalKeys(keys)}`;
  }
  const cells = columns.map(({ place }) => `c${place}`).join(", ");
  // In the order of the batch, so that a sequence counts the rows as they came.
  const insert = `INSERT INTO ${quoted} (${list(columns)}) SELECT ${cells} FROM ${stage} ORDER BY r`;
  if (strategy === "insert") return insert;
  const set = others.map(({ name }) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`).join(", ");
  return `${insert} ON CONFLICT (${list(keys)}) DO ${set === "" ? "NOTHING" : `UPDATE SET ${set}`}`;
}

function list(columns: Columns): string {
  return columns.map(({ name }) => quoteIdentifier(name)).join(", ");
}

function equalKeys(keys: Columns): string {
  return keys.map(({ name, place }) => `t.${quoteIdentifier(name)} = s.c${place}`).join(" AND ");
}
