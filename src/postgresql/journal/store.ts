import { randomUUID } from "node:crypto";
import type { ClientBase, Pool } from "pg";
import type { RunFacts } from "../../contracts/journal.ts";
import { messageOf } from "../../errors/error-text.ts";
import { JournalError } from "../../errors/journal.ts";
import { LLMEtlError } from "../../errors/llm-etl-error.ts";
import type { SaveGuard, Store, Transaction } from "../../journal-tables/store.ts";
import { CommitInDoubtError } from "../../table/dialect.ts";
import { type PassingError, retryPassing } from "../../table/retry.ts";
import { inTransaction, withClient } from "../connect/client.ts";
import type { PostgreSQLConnection } from "../connect/connection.ts";
import { sharesBackends } from "../connect/server-state.ts";
import { driverFacts, isOfConnection, passingError } from "../error-meaning.ts";
import { PipelineLock, StillHeldError } from "./lock.ts";
import { quoted, requireSchema } from "./schema.ts";
import { applyIn, findIn, looksOf } from "./statements.ts";

export interface JournalPlace {
  readonly connection: PostgreSQLConnection;
  readonly schema: string;
  readonly identity: string;
  /** The longest time that the database may be away, in milliseconds. */
  readonly timeoutMs: number;
}

/** In milliseconds: a network that is silent for so long is gone. */
const silenceMs = 30_000;

/** Waits are of use while the database is away, or takes no writes for a while, as after a failover. */
function passing(error: unknown): PassingError | undefined {
  if (error instanceof LLMEtlError) return undefined;
  const goesBy = error instanceof CommitInDoubtError || error instanceof StillHeldError || isOfConnection(error);
  return goesBy || driverFacts(error).states.includes("25006") ? {} : passingError(error);
}

/** The error of a journal in PostgreSQL. */
export function asJournalError({ connection, identity }: JournalPlace, cause: unknown): LLMEtlError {
  if (cause instanceof LLMEtlError) return cause;
  const { problem, options } = connection.problem(cause);
  const isAway = passing(cause) !== undefined;
  const words = isAway ? `is away: ${problem}` : `can't be read or written: ${messageOf(cause)}`;
  const hint = "run again when the database is back: all that was kept is there";
  const facts = { ...options.facts, problem: isAway ? "away" : "failed", ...(isAway && { hint }) };
  return new JournalError(identity, words, { ...options, facts });
}

/** Takes the pipeline's lock, and gives the tables to its run. */
export async function openStore(place: JournalPlace, run: RunFacts, signal: AbortSignal): Promise<Store> {
  const { connection, schema, identity } = place;
  const fail = (problem: string, options = {}): JournalError => new JournalError(identity, problem, options);
  const { pool } = await connection.open({ signal, fail });
  const lock = new PipelineLock(place, run);
  const session = randomUUID();
  let isAsynchronous = false;
  try {
    await withClient(pool, signal, async (client) => await requireSchema(client, schema, identity));
    await lock.take(signal);
    isAsynchronous = await withClient(pool, signal, async (client) => {
      const { client: other } = lock;
      if (other !== undefined && (await sharesBackends(client, other))) throw pooled(identity);
      const { rows } = await client.query<{ value: unknown }>(
        `WITH added AS (INSERT INTO ${quoted(schema)}.sessions (session, pipeline, last_save) VALUES ($1, $2, 0))
        SELECT current_setting('synchronous_commit') AS value`,
        [session, run.pipeline],
      );
      return rows[0]?.value === "off";
    });
  } catch (error) {
    await lock.release();
    await connection.close();
    throw asJournalError(place, error);
  }
  return heldStore(place, { pool, lock, session, isAsynchronous });
}

interface Held {
  readonly pool: Pool;
  readonly lock: PipelineLock;
  readonly session: string;
  /** True where the server answers a commit before it is on its disk, if it is not told otherwise. */
  readonly isAsynchronous: boolean;
}

function heldStore(place: JournalPlace, { pool, lock, session, isAsynchronous }: Held): Store {
  const { schema, timeoutMs, connection } = place;
  const life = new AbortController(); // what is finished is saved after an abort of the run, too
  const { signal } = life;
  const limits = { limitMs: Math.min(silenceMs, Math.max(timeoutMs, 1_000)) };
  const patiently = async <Result>(attempt: () => Promise<Result>): Promise<Result> => {
    try {
      const delaysMs = { shortest: 100, longest: 2_000 };
      return await retryPassing(attempt, { signal, patienceMs: timeoutMs, passing, delaysMs });
    } catch (error) {
      throw asJournalError(place, error);
    }
  };
  const looks = looksOf(
    schema,
    async (work) => await patiently(async () => await withClient(pool, signal, work, limits)),
  );
  return {
    ...looks,
    session,
    save: async (guard, work) =>
      await patiently(async () => {
        await lock.ensure(signal);
        return await inTransaction(
          pool,
          signal,
          async (client) => {
            if (isAsynchronous) await client.query("SET LOCAL synchronous_commit TO on");
            const now = await admitted(client, { schema, lock, session, guard });
            if (now === undefined) return [undefined, false];
            const transaction: Transaction = {
              now,
              find: async (table, by, keys) => await findIn(client, schema, { table, by, keys }),
              apply: async (group) => await applyIn(client, schema, group),
            };
            return [await work(transaction), true];
          },
          limits,
        );
      }),
    close: async () => {
      await lock.release();
      await connection.close();
      life.abort();
    },
  };
}

/**
 * The database's clock, where the run may save; undefined where this was saved before.
 *
 * @throws {JournalError} if another run has the pipeline
 */
async function admitted(
  client: ClientBase,
  { schema, lock, session, guard }: { schema: string; lock: PipelineLock; session: string; guard: SaveGuard },
): Promise<Date | undefined> {
  const name = quoted(schema);
  const { rows } = await client.query<{ now: unknown }>(
    `WITH held AS (SELECT 1 FROM ${name}.pipelines WHERE name = $1 AND epoch = $2 FOR ${guard.isAlone ? "UPDATE" : "SHARE"})
    UPDATE ${name}.sessions SET last_save = $4 WHERE session = $3 AND last_save < $4 AND EXISTS (SELECT FROM held)
    RETURNING floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now`,
    [lock.pipeline, lock.epoch, session, guard.number],
  );
  if (rows[0] !== undefined) return new Date(Number(rows[0].now));
  const known = await client.query<{ last: unknown }>(
    `SELECT last_save AS last FROM ${name}.sessions WHERE session = $1`,
    [session],
  );
  if (Number(known.rows[0]?.last ?? 0) >= guard.number) return undefined;
  throw lock.lost();
}

function pooled(identity: string): JournalError {
  const hint = "connect to the server itself, or to a pooler in session mode";
  return new JournalError(identity, "can't be kept from other runs: a pooler in transaction mode is on the way", {
    facts: { problem: "pooler", hint },
  });
}
