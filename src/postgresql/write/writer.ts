import { pipeline } from "node:stream/promises";
import type { ClientBase, Pool } from "pg";
import type { StagedRow, TableConnection, TableWriter, Target, WriterErrors } from "../../table/dialect.ts";
import { tabSeparated } from "../../table/tab-separated.ts";
import { type StagedDatabase, stagedWriter } from "../../table/staged-writer.ts";
import { inTransaction, withClient } from "../connect/client.ts";
import type { loadCopy } from "../connect/driver.ts";
import { driverFacts } from "../error-meaning.ts";
import { boundLockWaits, lockWaitMs, timingLocks } from "../lock-waits.ts";
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

/** Writes batches, each in one transaction and five round trips: begin, make the stage, copy, write, commit. */
export function postgreSQLWriter(
  { pool, signal, copy, patienceMs }: TargetConnection,
  target: PostgreSQLTarget,
  errors: WriterErrors,
): TableWriter<PostgreSQLColumn, string> {
  const { table, columns, keys } = target;
  const statement = writeStatement(target);
  const cells = columns.map(({ place, staged }) => `, c${place} ${staged}`).join("");
  const database: StagedDatabase<ClientBase, PostgreSQLColumn, string> = {
    transaction: async (work, leftMs = lockWaitMs) => {
      const limits = { waitMs: leftMs, limitMs: Math.max(leftMs, 2 * lockWaitMs) };
      const working = async (client: ClientBase): Promise<[undefined, boolean]> => [undefined, await work(client)];
      await timingLocks(async () => await inTransaction(pool, signal, working, limits));
    },
    stage: async (client, rows, leftMs = patienceMs) => {
      const create = `CREATE TEMPORARY TABLE llm_etl_stage (r int${cells}) ON COMMIT DROP`;
      await client.query(`${boundLockWaits(leftMs)}; ${create}`);
      if (rows.length > 0) await load(client, copy, rows);
    },
    remove: async (client) => {
      await client.query(`DELETE FROM ${table.quoted} t USING ${stage} s WHERE ${equalKeys(keys)}`);
      const left = await client.query(`SELECT FROM ${stage} s JOIN ${table.quoted} t ON ${equalKeys(keys)}`);
      await client.query(`DROP TABLE ${stage}`);
      return left.rowCount ?? 0;
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
    same: async (client) => {
      const equal = columns.map(({ name, place }) => [`t.${quoteIdentifier(name)}::text`, `s.c${place}::text`]);
      const where = equal.map((pair) => pair.join(" IS NOT DISTINCT FROM ")).join(" AND ");
      const sql = `SELECT FROM ${stage} s JOIN ${table.quoted} t ON ${equalKeys(keys)} WHERE ${where}`;
      return (await client.query(sql)).rowCount ?? 0;
    },
    find: async (key, filled) => {
      const equal = keys.map(({ name, equals }, index) => `${quoteIdentifier(name)} ${equals} $${index + 1}`);
      const parts = equal.slice(0, key.length); // without a key any row is looked for
      const isFilled = filled.map(({ name }) => `${quoteIdentifier(name)} IS NOT NULL`).join(" OR ");
      const where = [...parts, ...(isFilled === "" ? [] : [`(${isFilled})`]), "true"].join(" AND ");
      const sql = `SELECT FROM ${table.quoted} WHERE ${where} LIMIT 1`;
      return await withClient(pool, signal, async (client) => (await client.query(sql, [...key])).rowCount === 1);
    },
  };
  const isExact = keys.every((key) => key.isExact);
  return stagedWriter(database, target, isExact, errors);
}

async function load(client: ClientBase, copy: TargetConnection["copy"], rows: Rows): Promise<void> {
  await pipeline(tabSeparated(rows), client.query(copy(`COPY ${stage} FROM STDIN`)));
}

function writeStatement(target: PostgreSQLTarget): string {
  const { table, strategy, columns, keys } = target;
  const { quoted } = table;
  const others = columns.filter(({ isKey }) => !isKey);
  if (strategy === "update") {
    const set = others.map(({ name, place }) => `${quoteIdentifier(name)} = s.c${place}`).join(", ");
    return `UPDATE ${quoted} t SET ${set} FROM ${stage} s WHERE ${equalKeys(keys)}`;
  }
  const cells = columns.map(({ place }) => `c${place}`).join(", ");
  // In the order of the batch, so that a sequence counts the rows as they came.
  const insert = `INSERT INTO ${quoted} AS t (${list(columns)}) SELECT ${cells} FROM ${stage} ORDER BY r`;
  if (strategy === "insert") return insert;
  const set = others.map(({ name }) => `${quoteIdentifier(name)} = excluded.${quoteIdentifier(name)}`).join(", ");
  return `${insert} ON CONFLICT (${list(keys)}) DO ${set === "" ? "NOTHING" : `UPDATE SET ${set}`}`;
}

function list(columns: Columns): string {
  return columns.map(({ name }) => quoteIdentifier(name)).join(", ");
}

function equalKeys(keys: Columns): string {
  return keys.map(({ name, place, equals }) => `t.${quoteIdentifier(name)} ${equals} s.c${place}`).join(" AND ");
}
