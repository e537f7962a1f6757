import { finished } from "node:stream/promises";
import type { ClientBase, Pool } from "pg";
import type {
  StagedRow,
  StoredKey,
  TableConnection,
  TableWriter,
  Target,
  WriteContext,
  WriterErrors,
} from "../../table/dialect.ts";
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
  const { table, columns, keys, strategy, proof } = target;
  const isExact = keys.every((key) => key.isExact);
  const isKeysAlone = columns.length === keys.length;
  const statement = writeStatement(target);

  async function prepare(client: ClientBase, waitMs: number): Promise<void> {
    const cells = columns.map(({ place, staged }) => `, c${place} ${staged}`).join("");
    const waited = Math.max(1_000, Math.min(lockWaitMs, Math.ceil(waitMs)));
    await client.query(
      `SET LOCAL lock_timeout = ${waited}; CREATE TEMPORARY TABLE llm_etl_stage (r int${cells}) ON COMMIT DROP`,
    );
  }

  /** The staged rows that the target has, each with its key as it is stored. */
  async function storedRows(client: ClientBase, by: Columns): Promise<ReadonlyMap<string, string>> {
    const stored = by.map(({ name }) => `t.${quoteIdentifier(name)}::text`).join(", ");
    const sql = `SELECT s.r, json_build_array(${stored}) AS key FROM ${stage} s JOIN ${table.quoted} t ON ${equalKeys(by)}`;
    const { rows } = await client.query<{ r: string; key: string }>(sql);
    return new Map(rows.map(({ r, key }) => [r, JSON.stringify(JSON.parse(key))])); // spaced as the rows' own keys
  }

  async function writeStaged(client: ClientBase, rows: Rows, guard: WriteContext["guard"]): Promise<void> {
    const written = await client.query(statement).catch((error: unknown) => {
      throw driverFacts(error).states.includes("21000") ? errors.sameKey(undefined) : error;
    });
    const isWhole = written.rowCount === rows.length;
    if (isWhole && isExact) return;
    const stored = await storedRows(client, keys.length === 0 ? proof : keys);
    const missing = rows.find((_, index) => !stored.has(String(index)));
    if (missing !== undefined && strategy === "update") throw errors.unknownKey(missing.values);
    if (missing !== undefined || (!isWhole && strategy !== "update" && !isKeysAlone)) {
      const facts = { where: table.name, expected: rows.length, got: written.rowCount ?? 0 };
      throw errors.leftOut(`a trigger or a policy of ${table.quoted} left out a row`, missing?.values, facts);
    }
    if (!isWhole && strategy === "update") throw errors.sameKey(undefined);
    const texts = rows.map((_, index) => stored.get(String(index)) ?? "");
    if (!isExact) guard(texts.map((text): StoredKey => ({ claimed: text, written: text })));
  }

  return {
    prove: async () => {
      await inTransaction(
        pool,
        signal,
        async (client) => {
          await prepare(client, lockWaitMs);
          await client.query(statement);
          if (keys.length > 0) await storedRows(client, keys);
          return [undefined, false];
        },
        { limitMs: 2 * lockWaitMs },
      );
    },
    write: async (rows, { isInDoubt, guard, leftMs }) => {
      const work = async (client: ClientBase): Promise<readonly [undefined, boolean]> => {
        await prepare(client, leftMs);
        await load(client, copy, rows);
        // All rows are there or none, since they were added in one transaction.
        if (isInDoubt && strategy === "insert" && (await storedRows(client, proof)).size === rows.length)
          return [undefined, false];
        await writeStaged(client, rows, guard);
        return [undefined, true];
      };
      await inTransaction(pool, signal, work, { waitMs: leftMs, limitMs: Math.max(leftMs, 2 * lockWaitMs) });
    },
    find: async (key, filled) => {
      const parts = key.map((_, index) => `${quoteIdentifier(keys[index]?.name ?? "")} = $${index + 1}`);
      if (filled.length > 0)
        parts.push(`(${filled.map(({ name }) => `${quoteIdentifier(name)} IS NOT NULL`).join(" OR ")})`);
      const sql = `SELECT FROM ${table.quoted}${parts.length === 0 ? "" : ` WHERE ${parts.join(" AND ")}`} LIMIT 1`;
      return await withClient(pool, signal, async (client) => (await client.query(sql, [...key])).rowCount === 1);
    },
  };
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
