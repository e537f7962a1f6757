import { randomUUID } from "node:crypto";
import type { RunFacts } from "../contracts/journal.ts";
import { JournalError } from "../errors/journal.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { CommitInDoubtError } from "../table/dialect.ts";
import type { WorkOptions } from "../table/pooled-work.ts";
import { type PassingError, retryPassing } from "../table/retry.ts";
import { groupsOf } from "./changes.ts";
import type { Admission, Ask, JournalDatabase, OpenDatabase, Statement } from "./database.ts";
import { PipelineLock, silenceMs } from "./lock.ts";
import { requireSchema } from "./schema.ts";
import { applyIn, findIn, looksOf, nameOf, statementOf, sumsIn, valueOf } from "./statements.ts";
import type { Store } from "./store.ts";
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

/** Statements of one round trip: those of more would have more values than some servers take. */
const mostAtOnce = 100;

interface Holder {
  readonly lock: PipelineLock;
  readonly session: string;
}

type Patience = <Result>(attempt: (limits: WorkOptions) => Promise<Result>) => Promise<Result>;

/** Tries again while the database is away; once it is gone, or the lock is lost, nothing is tried any more. */
function patienceOf(database: JournalDatabase, signal: AbortSignal): Patience {
  let gone: LLMEtlError | undefined; // the run is about to stop then: it waits for nothing more
  return async (attempt) => {
    if (gone !== undefined) throw gone;
    let wasInDoubt = false; // it may be stored: under another number it would be stored twice
    let startedAt = 0;
    const timed = async (leftMs: number) => {
      startedAt = performance.now();
      return await attempt({ waitMs: leftMs, limitMs: silenceMs(leftMs) });
    };
    const goesBy = (error: unknown): PassingError | undefined => {
      wasInDoubt ||= error instanceof CommitInDoubtError;
      const found = passing(database, error);
      return found && { ...found, waitedMs: performance.now() - startedAt };
    };
    try {
      return await retryPassing(timed, { signal, patienceMs: database.timeoutMs, passing: goesBy, delaysMs });
    } catch (error) {
      const failure = asJournalError(database, error);
      if (wasInDoubt || isGone(failure)) gone = failure;
      throw failure;
    }
  };
}

function heldStore(
  database: JournalDatabase,
  { use, changeAtOnce, transact, close }: OpenDatabase,
  holder: Holder,
): Store {
  const life = new AbortController(); // what is finished is saved after an abort of the run, too
  const { signal } = life;
  const patiently = patienceOf(database, signal);
  const saved = async (number: number, attempt: (limits: WorkOptions) => Promise<boolean>): Promise<void> => {
    await patiently(async (limits) => {
      await holder.lock.ensure();
      if (!(await attempt(limits))) await use(signal, async (ask) => await requireSaved(ask, number), limits);
    });
  };
  /** Without an admission a save was stored before, or another run has the pipeline. */
  const requireSaved = async (ask: Ask, number: number): Promise<void> => {
    const { session, lock } = holder;
    const [known] = await findIn(ask, database, tables.sessions, tables.sessions.key, [{ session }]);
    if (Number(known?.["last_save"] ?? 0) < number) throw lock.lost();
  };
  const store: Store = {
    ...looksOf(database, async (work) => await patiently(async (limits) => await use(signal, work, limits))),
    session: holder.session,
    save: async (number, changes) => {
      if (changes.length > mostAtOnce) {
        await store.transact({ number, isAlone: false }, async ({ apply }) => {
          for (const group of changes) await apply(group);
        });
        return;
      }
      await saved(number, async (limits) => {
        const statements = changes.map((group) => statementOf(database, group));
        return await changeAtOnce(signal, [admission(database, holder, number, "at-once"), ...statements], limits);
      });
    },
    transact: async ({ number, isAlone }, work) =>
      await saved(number, async (limits) => {
        const admit = admission(database, holder, number, isAlone ? "alone" : "shared");
        const admitted = async (ask: Ask) => {
          const values: unknown[] = [];
          const [line] = await ask(admit(values), values);
          if (line === undefined) return [false, false] as const;
          await work({
            now: new Date(Number(line["now"])),
            find: async (table, by, keys) => await findIn(ask, database, table, by, keys),
            sums: async (queries) => await sumsIn(ask, database, queries),
            apply: async (group) => await applyIn(ask, database, group),
          });
          return [true, true] as const;
        };
        return await transact(signal, admitted, limits);
      }),
    close: async () => {
      life.abort(new JournalError(database.identity, "was closed"));
      await holder.lock.release();
      await close();
    },
  };
  return store;
}

function admission(
  database: JournalDatabase,
  { lock, session }: Holder,
  number: number,
  forWhat: Admission,
): Statement {
  const [pipelines, sessions] = [nameOf(database, tables.pipelines), nameOf(database, tables.sessions)];
  return (values) => {
    values.push(valueOf(database, tables.pipelines, "name", lock.pipeline), lock.epoch, session, number);
    return database.dialect.admit(pipelines, sessions, forWhat);
  };
}
