import { randomUUID } from "node:crypto";
import type { RunFacts } from "../contracts/journal.ts";
import { messageOf } from "../errors/error-text.ts";
import { JournalError } from "../errors/journal.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { CommitInDoubtError } from "../table/dialect.ts";
import { type PassingError, retryPassing } from "../table/retry.ts";
import { groupsOf } from "./changes.ts";
import type { Ask, JournalDatabase, OpenDatabase } from "./database.ts";
import { PipelineLock, StillHeldError } from "./lock.ts";
import { requireSchema } from "./schema.ts";
import { applyIn, findIn, looksOf, nameOf } from "./statements.ts";
import type { SaveGuard, Store, Transaction } from "./store.ts";
import { tables } from "./tables.ts";

/** In milliseconds: a network that is silent for so long is gone. */
const silenceMs = 30_000;

function passing(database: JournalDatabase, error: unknown): PassingError | undefined {
  if (error instanceof LLMEtlError) return undefined;
  return error instanceof CommitInDoubtError || error instanceof StillHeldError ? {} : database.passing(error);
}

/** The error of a journal in a database. */
export function asJournalError(database: JournalDatabase, cause: unknown): LLMEtlError {
  if (cause instanceof LLMEtlError) return cause;
  const { problem, options } = database.problem(cause);
  const isAway = passing(database, cause) !== undefined;
  const words = isAway ? `is away: ${problem}` : `can't be read or written: ${messageOf(cause)}`;
  const hint = "run again when the database is back: all that was kept is there";
  const facts = { ...options.facts, problem: isAway ? "away" : "failed", ...(isAway && { hint }) };
  return new JournalError(database.identity, words, { ...options, facts });
}

/** Takes the pipeline's lock, and gives the tables to its run. */
export async function openStore(database: JournalDatabase, run: RunFacts, signal: AbortSignal): Promise<Store> {
  const opened = await database.open(signal);
  const lock = new PipelineLock(database, opened, run);
  const session = randomUUID();
  try {
    await opened.use(signal, async (ask) => await requireSchema(ask, database));
    await lock.take(signal);
    const line = { session, pipeline: run.pipeline, last_save: 0 };
    const groups = groupsOf([{ kind: "put", table: tables.sessions, line }]);
    for (const group of groups) await opened.use(signal, async (ask) => await applyIn(ask, database, group));
  } catch (error) {
    await lock.release();
    await opened.close();
    throw asJournalError(database, error);
  }
  return heldStore(database, opened, { lock, session });
}

interface Holder {
  readonly lock: PipelineLock;
  readonly session: string;
}

function heldStore(database: JournalDatabase, { use, transact, close }: OpenDatabase, holder: Holder): Store {
  const { timeoutMs } = database;
  const life = new AbortController(); // what is finished is saved after an abort of the run, too
  const { signal } = life;
  const limits = { limitMs: Math.min(silenceMs, Math.max(timeoutMs, 1_000)) };
  const patiently = async <Result>(attempt: () => Promise<Result>): Promise<Result> => {
    try {
      const delaysMs = { shortest: 100, longest: 2_000 };
      const goesBy = (error: unknown): PassingError | undefined => passing(database, error);
      return await retryPassing(attempt, { signal, patienceMs: timeoutMs, passing: goesBy, delaysMs });
    } catch (error) {
      throw asJournalError(database, error);
    }
  };
  return {
    ...looksOf(database, async (work) => await patiently(async () => await use(signal, work, limits))),
    session: holder.session,
    save: async (guard, work) =>
      await patiently(async () => {
        await holder.lock.ensure(signal);
        const saved = async (ask: Ask) => {
          const now = await admitted(ask, database, { ...holder, guard });
          if (now === undefined) return [undefined, false] as const;
          const transaction: Transaction = {
            now,
            find: async (table, by, keys) => await findIn(ask, database, table, by, keys),
            apply: async (group) => await applyIn(ask, database, group),
          };
          return [await work(transaction), true] as const;
        };
        return await transact(signal, saved, limits);
      }),
    close: async () => {
      await holder.lock.release();
      await close();
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
  ask: Ask,
  database: JournalDatabase,
  { lock, session, guard }: Holder & { readonly guard: SaveGuard },
): Promise<Date | undefined> {
  const names = [nameOf(database, tables.pipelines), nameOf(database, tables.sessions)] as const;
  const { admit, toValue } = database.dialect;
  const values = [toValue("name", lock.pipeline), lock.epoch, toValue("name", session), guard.number];
  const [line] = await ask(admit(...names, guard.isAlone), values);
  if (line !== undefined) return new Date(Number(line["now"]));
  const [known] = await findIn(ask, database, tables.sessions, tables.sessions.key, [{ session }]);
  if (Number(known?.["last_save"] ?? 0) >= guard.number) return undefined;
  throw lock.lost();
}
