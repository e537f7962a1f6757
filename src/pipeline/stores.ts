import type { DeadLetter, DeadLetterSession } from "../contracts/dead-letter.ts";
import type { Journal, JournalSession, RunFacts } from "../contracts/journal.ts";
import type { RunKind } from "../contracts/report.ts";
import type { AnySource } from "../contracts/source.ts";
import { PayloadLog, type PayloadLogOptions } from "../llm/call/payload-log.ts";
import { type Ending, within } from "../engine/ending.ts";
import { LookAhead } from "../engine/look-ahead.ts";
import { gathered } from "../engine/gathered.ts";
import type { StoredAnswers } from "../llm/call/journaled.ts";
import type { EarlierRuns } from "../llm/call/rejections.ts";
import { withinLimit } from "../engine/time-limit.ts";
import type { ResolvedPipeline, Settings, Stores } from "./resolve.ts";

/** The stores that a run appends to; undefined where one is off. */
export interface OpenFiles {
  readonly payloadLog: PayloadLog | undefined;
  readonly deadLetter: DeadLetterSession | undefined;
  readonly close: () => Promise<void>;
}

/**
 * Opens the payload log and the dead letters.
 *
 * @throws {PayloadLogError | DeadLetterError} if one can't be opened for writing: the other is closed
 */
export async function openFiles(
  stores: Stores,
  run: RunFacts,
  limits: Pick<Settings, "openTimeoutMs" | "closeTimeoutMs">,
  signal: AbortSignal,
  ending: Ending,
): Promise<OpenFiles> {
  const { payloadLog: log, deadLetter: letters } = stores;
  const payloadLog = log === null ? undefined : await openPayloadLog({ ...log, runId: run.runId }, limits, signal);
  try {
    const deadLetter = letters === null ? undefined : await openLetters(letters, run, limits, signal);
    const close = async (): Promise<void> => {
      // Every line in them was awaited, but for those of rows that were given up.
      const closing = Promise.allSettled([payloadLog?.close(), deadLetter?.close()]);
      await within(limits.closeTimeoutMs, closing, ending);
    };
    return { payloadLog, deadLetter, close };
  } catch (error) {
    await payloadLog?.close();
    throw error;
  }
}

/** Another process may hold the log's lock for a while. */
async function openPayloadLog(
  log: PayloadLogOptions,
  { openTimeoutMs: limitMs }: Pick<Settings, "openTimeoutMs">,
  signal: AbortSignal,
): Promise<PayloadLog> {
  const limit = {
    code: "PAYLOAD_LOG_FAILED",
    what: "the payload log: open",
    option: "openTimeoutMs",
    limitMs,
  } as const;
  return await withinLimit(
    { ...limit, signal },
    async () => await PayloadLog.open(log),
    async (late) => await late.close(),
  );
}

async function openLetters(
  letters: DeadLetter,
  run: RunFacts,
  { openTimeoutMs: limitMs }: Pick<Settings, "openTimeoutMs">,
  signal: AbortSignal,
): Promise<DeadLetterSession> {
  const limit = {
    code: "DEAD_LETTER_FAILED",
    what: `${letters.name}: open`,
    option: "openTimeoutMs",
    limitMs,
  } as const;
  const open = async (inTime: AbortSignal): Promise<DeadLetterSession> => await letters.open(run, inTime);
  return await withinLimit({ ...limit, signal }, open, async (late) => await late.close());
}

/** Opens the journal. @throws {RunError} JOURNAL_FAILED if that takes too long */
export async function openJournal(
  journal: Journal,
  run: RunFacts,
  { openTimeoutMs: limitMs }: Pick<Settings, "openTimeoutMs">,
  signal: AbortSignal,
): Promise<JournalSession> {
  const limit = { code: "JOURNAL_FAILED", what: `${journal.name}: open`, option: "openTimeoutMs", limitMs } as const;
  const open = async (inTime: AbortSignal): Promise<JournalSession> => await journal.open(run, inTime);
  return await withinLimit({ ...limit, signal }, open, async (late) => await late.close());
}

/** The answers of a journal, looked up for many rows at once. */
export function answersOf(
  { answers: { find, save, forget } }: JournalSession,
  lookAhead: LookAhead | undefined,
): StoredAnswers {
  return { find: gathered(find, lookAhead?.answer), save, forget };
}

/** The runs that read the whole source, or what changed in it. */
const readsAll: ReadonlySet<RunKind> = new Set<RunKind>(["run", "plan"]);

/** Undefined where look-ups cost little, and where little would be found: for a run that asks anew, and one of rows that failed. */
export function lookAheadOf(
  journal: JournalSession | undefined,
  { destinations, settings }: Pick<ResolvedPipeline, "destinations" | "settings">,
  kind: RunKind,
  source: AnySource,
): LookAhead | undefined {
  const { lookAheadRows = 0 } = journal ?? {};
  if (journal === undefined || lookAheadRows < 1 || !settings.cache || !readsAll.has(kind)) return undefined;
  const sinks = destinations.map(({ sink }) => sink);
  return new LookAhead({ ...settings, source, sinks, journal, pageRows: lookAheadRows });
}

/** The evidence of earlier runs, as the journal has it. */
export function earlierRunsOf(
  { rows, runs }: JournalSession,
  { name, destinations }: Pick<ResolvedPipeline, "name" | "destinations">,
): EarlierRuns {
  return {
    hasAnswered: async (step, promptHash) => await runs.hasAnswered(name, step, promptHash),
    lastFailure: gathered(async (pks) => {
      const failed = await Promise.all(destinations.map(async ({ sink }) => await rows.findFailed(sink.identity, pks)));
      const codes = new Map<string, string>();
      for (const ofSink of failed) for (const [pk, code] of ofSink) codes.set(pk, code);
      return codes;
    }),
  };
}
