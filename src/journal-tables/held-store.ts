import { randomUUID } from "node:crypto";
import type { RunFacts } from "../contracts/journal.ts";
import { JournalError } from "../errors/journal.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { CommitInDoubtError } from "../table/dialect.ts";
import type { WorkOptions } from "../table/pooled-work.ts";
import { type PassingError, retryPassing } from "../table/retry.ts";
import { groupsOf } from "./changes.ts";
import type { Ask, JournalDatabase, OpenDatabase } from "./database.ts";
import { PipelineLock, silenceMs } from "./lock.ts";
import { requireSchema } from "./schema.ts";
import { applyIn, findIn, looksOf, nameOf, valueOf } from "./statements.ts";
import type { SaveGuard, Store, Transaction } from "./store.ts";
import { tables } from "./tables.ts";

const delaysMs = { shortest: 100, longest: 2_000 } as const;

function passing(database: JournalDatabase, error: unknown): PassingError | undefined {
  if (error instanceof LLMEtlError) return undefined;
  return error instanceof CommitInDoubtError ? {} : database.passing(error);
}

/** The error of a journal in a database. */
export function asJournalError(database: JournalDatabase, cause: unknown): LLMEtlError {
  if (cause instanceof LLMEtlError) return cause;
  const isAway = passing(database, cause) !== undefined;
  const { problem, options } = database.problem(cause, isAway);
  const words = `${isAway ? "is away" : "can't be read or written"}: ${problem}`;
  const toGoOn = isAway ? "run again when the database is back: all that was kept is there" : undefined;
  const hint = [options.facts?.["hint"], toGoOn].filter((step) => step !== undefined).join("; ");
  const facts = { ...options.facts, problem: isAway ? "away" : "failed", ...(hint !== "" && { hint }) };
  return new JournalError(database.identity, words, { ...options, facts });
}

/** No save of the run will succeed any more. */
function isGone(error: LLMEtlError): boolean {
  return error.facts["problem"] === "away" || error.facts["problem"] === "lock-lost";
}

/** Takes the pipeline's lock, and gives the tables to its run. */
export async function openStore(database: JournalDatabase, run: RunFacts, signal: AbortSignal): Promise<Store> {
  const opened = await database.open(signal);
  const lock = new PipelineLock(database, opened, run);
  const session = randomUUID();
  const patiently = async (attempt: () => Promise<unknown>): Promise<void> => {
    const goesBy = (error: unknown): PassingError | undefined => passing(database, error);
    await retryPassing(attempt, { signal, patienceMs: database.timeoutMs, passing: goesBy, delaysMs });
  };
  try {
    await patiently(async () => await opened.use(signal, async (ask) => await requireSchema(ask, database)));
    await patiently(async () => await lock.take(signal));
    const line = { session, pipeline: run.pipeline, last_save: 0 };
    for (const group of groupsOf([{ kind: "put", table: tables.sessions, line }]))
      await patiently(async () => await opened.use(signal, async (ask) => await applyIn(ask, database, group)));
  } catch (error) {
    await lock.release();
    await opened.close();
    signal.throwIfAborted();
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
  let gone: LLMEtlError | undefined; // the run is about to stop then: it waits for nothing more
  const life = new AbortController(); // what is finished is saved after an abort of the run, too
  const { signal } = life;
  const patiently = async <Result>(attempt: (limits: WorkOptions) => Promise<Result>): Promise<Result> => {
    if (gone !== undefined) throw gone;
    let wasInDoubt = false; // it may be stored: under another number it would be stored twice
    let startedAt = 0;
    const timed = async (leftMs: number): Promise<Result> => {
      startedAt = performance.now();
      return await attempt({ waitMs: leftMs, limitMs: silenceMs(leftMs) });
    };
    const goesBy = (error: unknown): PassingError | undefined => {
      wasInDoubt ||= error instanceof CommitInDoubtError;
      const found = passing(database, error);
      return found && { ...found, waitedMs: performance.now() - startedAt };
    };
    try {
      return await retryPassing(timed, { signal, patienceMs: timeoutMs, passing: goesBy, delaysMs });
    } catch (error) {
      const failure = asJournalError(database, error);
      if (wasInDoubt || isGone(failure)) gone = failure;
      throw failure;
    }
  };
  return {
    ...looksOf(database, async (work) => await patiently(async (limits) => await use(signal, work, limits))),
    session: holder.session,
    save: async (guard, work) =>
      await patiently(async (limits) => {
        await holder.lock.ensure();
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
      life.abort(new JournalError(database.identity, "was closed"));
      await holder.lock.release();
      await close();
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
  const sql = database.dialect.admit(...names, guard.isAlone);
  const name = valueOf(database, tables.pipelines, "name", lock.pipeline);
  const [line] = await ask(sql, [name, lock.epoch, session, guard.number]);
  if (line !== undefined) return new Date(Number(line["now"]));
  const [known] = await findIn(ask, database, tables.sessions, tables.sessions.key, [{ session }]);
  if (Number(known?.["last_save"] ?? 0) >= guard.number) return undefined;
  throw lock.lost();
}
