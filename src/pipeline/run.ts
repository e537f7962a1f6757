import type { DeadLetterSession } from "../contracts/dead-letter.ts";
import { randomUUID } from "node:crypto";
import type { JournalSession } from "../contracts/journal.ts";
import type { RunKind, RunReport } from "../contracts/report.ts";
import type { RowsAside } from "../contracts/sink.ts";
import type { AnySource } from "../contracts/source.ts";
import type { BatchRun } from "../batches/batch-run.ts";
import { runEngine } from "../engine/engine.ts";
import { Ending, within } from "../engine/ending.ts";
import { SparePlaces } from "../engine/spare-places.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { MapError } from "../errors/map.ts";
import type { PriceBook } from "../llm/price-book.ts";
import { currencyOf, openPriceBook } from "./currency.ts";
import { earlierRun } from "./earlier-run.ts";
import { type CallsOfRun, conversationsOf } from "./calls-of-run.ts";
import { requireMaps } from "./map-check.ts";
import { RunMonitor } from "./monitor.ts";
import type { RunOptions } from "./options.ts";
import { OutdatedFailures } from "./outdated-failures.ts";
import { RunRecorder } from "./recorder.ts";
import type { ResolvedPipeline } from "./resolve.ts";
import { RunDetail, type RunDetailOptions } from "./run-detail.ts";
import { countRows } from "./row-count.ts";
import { factsOf, runStartOf, sinksOf } from "./run-facts.ts";
import type { RowsOfRun } from "./rows-of-run.ts";
import { withinLimit } from "../engine/time-limit.ts";
import { requireSeparateFiles } from "./separate-files.ts";
import { earlierRunsOf, lookAheadOf, type OpenFiles, openFiles, openJournal } from "./stores.ts";

/** All that a run is given beside the pipeline. */
export interface RunContext extends Pick<RunOptions, "signal" | "stopNowSignal" | "onEvent"> {
  readonly kind: RunKind;
  /** Layers of its calls: see {@link LLMClientOptions}. */
  readonly calls?: CallsOfRun["calls"];
  /** Batches of a Batch API that it collects and hands over. @default those that the journal knows of are left alone */
  readonly batches?: BatchRun;
  /** Takes the failed rows instead of the pipeline's dead letters. */
  readonly deadLetter?: DeadLetterSession;
  /** Gives the rows once the journal is open. @default the pipeline's source */
  readonly source?: RowsOfRun["source"];
  /** Called once the sink is open. */
  readonly onOpened?: RowsOfRun["onOpened"];
  /** Saves what else is to be kept, whenever the figures are. */
  readonly save?: RowsOfRun["save"];
  /** Called when the last row has ended, while the journal is still held. */
  readonly finish?: () => Promise<void>;
}

/** One run, from the first file that it opens to the last that it closes. */
interface Run {
  readonly runId: string;
  readonly startedAt: Date;
  readonly durationMs: () => number;
  readonly pipeline: ResolvedPipeline;
  readonly context: RunContext;
  readonly prices: PriceBook;
  readonly monitor: RunMonitor;
  readonly journal: JournalSession | undefined;
  /** Aborted when the run is to stop. */
  readonly signal: AbortSignal;
  readonly recorder: RunRecorder;
  /** Undefined where there is no journal. */
  readonly detail: RunDetail | undefined;
  readonly ending: Ending;
}

/**
 * Runs a resolved pipeline.
 *
 * @throws {LLMEtlError} if it can't start: nothing was read
 */
export async function startRun(pipeline: ResolvedPipeline, context: RunContext): Promise<RunReport> {
  const { providers, steps, destinations, settings, stores } = pipeline;
  requireSeparateFiles(pipeline);
  for (const provider of providers) provider.fingerprint(); // throws here, not at the first row, what it lacks
  const currency = currencyOf(providers);
  const runId = randomUUID();
  const startedAt = new Date();
  const startedMs = performance.now();
  const durationMs = (): number => Math.round(performance.now() - startedMs);
  const { maxRowErrors } = settings;
  const stepNames = steps.map(({ step }) => step.name);
  const isOneToOne = destinations.every(({ label, each }) => label === undefined && each === undefined);
  const countsTargetRows = !isOneToOne && context.kind !== "preview" && context.kind !== "plan";
  const { onEvent } = context;
  const monitor = new RunMonitor({ steps: stepNames, currency, countsTargetRows, maxRowErrors, onEvent });
  const prices = await openPriceBook(pipeline, { emit: monitor.emit });
  const signal = context.signal === undefined ? monitor.signal : AbortSignal.any([context.signal, monitor.signal]);
  const facts = factsOf(pipeline, { runId, kind: context.kind, startedAt });
  const journal = stores.journal === null ? undefined : await openJournal(stores.journal, facts, settings, signal);
  const detail = journal && detailOf(pipeline, { runId, runs: journal.runs }, monitor);
  const recorder = new RunRecorder({
    detail: { save: async (isLast) => void (await Promise.all([detail?.save(isLast), context.save?.()])) },
    runs: journal?.runs,
    run: facts,
    figures: () => monitor.tally.figures(durationMs()),
    steps: () => monitor.stepTally.figures,
    onFailure: monitor.halt,
  });
  const ending = Ending.of(context, settings.gracePeriodMs);
  let files: OpenFiles | undefined;
  try {
    await withinLimit(
      { ...savingRun, option: "openTimeoutMs", limitMs: settings.openTimeoutMs, signal },
      recorder.begin,
    );
    files = await openFiles(stores, facts, settings, signal, ending);
    const run = {
      runId,
      startedAt,
      durationMs,
      pipeline,
      context,
      prices,
      monitor,
      journal,
      signal,
      recorder,
      detail,
      ending,
    };
    return await takeRows(run, files);
  } catch (error) {
    // Why the run did not start says more than that this can't be kept.
    await within(settings.closeTimeoutMs, recorder.abort(error), ending).catch(() => {});
    throw error;
  } finally {
    await files?.close();
    await within(settings.closeTimeoutMs, journal?.close(), ending); // all that is in it was awaited
    ending.end();
  }
}

const savingRun = { code: "JOURNAL_FAILED", what: "the journal: saving the run" } as const;

/** Takes the rows through the engine, and reports. */
async function takeRows(run: Run, { payloadLog, deadLetter }: OpenFiles): Promise<RunReport> {
  const { runId, durationMs, pipeline, context, monitor, signal, recorder, detail, ending } = run;
  const { steps, destinations, settings } = pipeline;
  const { emit, caughtUp, tally } = monitor;
  const { source: rows } = context;
  const reading = { code: "DEAD_LETTER_FAILED", what: "the dead letters: reading", option: "openTimeoutMs" } as const;
  const source =
    rows === undefined
      ? pipeline.source
      : await withinLimit({ ...reading, limitMs: Infinity, signal }, async () => await rows(run.journal, emit, signal));
  const lookAhead = lookAheadOf(run.journal, pipeline, context.kind, source);
  const journal = lookAhead?.journal ?? run.journal;
  const sparePlaces = new SparePlaces(settings.concurrency);
  const { calls, batches } = context;
  if (run.journal !== undefined) await batches?.begin(run.journal, runId, signal);
  const earlier = journal && earlierRunsOf(journal, pipeline);
  const parts = { journal, payloadLog, sparePlaces, earlier, lookAhead, calls, batches, emit };
  const conversation = await conversationsOf({ ...run, ...parts });
  const outdated = new OutdatedFailures(context.kind === "run" ? deadLetter : undefined);
  const { wasAsked } = monitor;
  const hasFailedBefore = async (pk: string): Promise<boolean> => {
    // Without a journal the dead letters know it, too.
    if (earlier === undefined) return deadLetter?.failedBefore?.has(pk) ?? false;
    return (await earlier.lastFailure(pk)) !== undefined;
  };
  const isWatched = settings.stopsAtFirstFailures && context.kind === "run";
  emit(runStartOf(pipeline, { runId, kind: context.kind, startedAt: run.startedAt, source: source.name }));
  run.prices.tellKnown(pipeline.providers);
  const stopCounting = beginCounting(run, source);
  let error: LLMEtlError | null;
  let rowsAside: readonly RowsAside[] = [];
  try {
    error = await runEngine({
      ...settings,
      ending,
      sparePlaces,
      runId,
      source: lookAhead?.source ?? source,
      steps,
      destinations,
      journal,
      lookAhead,
      deadLetter: context.deadLetter ?? deadLetter,
      emit: (event) => {
        outdated.observe(event);
        emit(event);
      },
      caughtUp: () => detail?.caughtUp() ?? caughtUp(),
      onRowEnd: detail?.rowEnded,
      signal,
      stopNowSignal: context.stopNowSignal,
      conversation,
      onOpened: context.onOpened,
      onClosed: (sessions) => {
        rowsAside = sessions.flatMap((session) => session.rowsAside?.() ?? []);
      },
      firstFailures: isWatched ? { wasAsked, hasFailedBefore } : undefined,
      beforeFirstRow: async (row, sessions) =>
        await requireMaps({ ...pipeline, source, isAnyRow: context.kind === "replay" }, row, sessions),
    });
  } finally {
    await stopCounting?.();
  }
  if (error instanceof MapError && tally.readCount === 0) throw error;
  await within(settings.closeTimeoutMs, keepMessage(error, context.deadLetter ?? deadLetter), ending);
  const keepRows = destinations.every(({ sink }) => sink.keepsRows);
  const haveReachedTarget = keepRows || (error === null && rowsAside.length === 0);
  const finish = async (): Promise<void> => {
    await context.finish?.();
    await outdated.remove(haveReachedTarget);
  };
  const failure = await errorOf(async () => await within(Infinity, finish(), ending));
  const ended = { runId, durationMs: durationMs(), rowsAside };
  let report = tally.report({ ...ended, error: error ?? failure });
  const limit = { ...savingRun, option: "closeTimeoutMs", limitMs: settings.closeTimeoutMs, ending } as const;
  const unkept = await errorOf(async () => await withinLimit(limit, async () => await recorder.end(report)));
  if (unkept !== null) report = tally.report({ ...ended, error: report.error ?? unkept });
  emit({ type: "run-end", report });
  return report;
}

/** Counts the rows beside the run; undefined where nobody asked for it. */
function beginCounting({ runId, pipeline, monitor }: Run, source: AnySource): (() => Promise<void>) | undefined {
  const { settings, stores, destinations } = pipeline;
  const { journal } = stores;
  if (!settings.countRows) return undefined;
  const knowsRows = destinations.every(({ sink }) => sink.keepsRows);
  const run = { runId, pipeline: pipeline.name, ...sinksOf(pipeline), knowsRows };
  const earlier = journal === null ? undefined : async () => await earlierRun(journal, run);
  return countRows({ ...settings, source, emit: monitor.emit, earlier });
}

/**
 * Keeps what code of the user's threw when it stopped the run: its message may quote a row, so it is told nowhere else. It is a
 * line without a row.
 */
async function keepMessage(error: LLMEtlError | null, deadLetter: DeadLetterSession | undefined): Promise<void> {
  if (error === null || error.scope !== "run" || error.facts["thrown"] === undefined) return;
  const noRow = { position: 0, pk: null, step: null, raw: null, partialState: {}, retryCount: 0 };
  try {
    await deadLetter?.add({ ...noRow, error });
  } catch {
    // Why the run stopped says more than that this can't be kept.
  }
}

/** Saves the run in detail: it sees every event. */
function detailOf(
  { steps }: ResolvedPipeline,
  options: Omit<RunDetailOptions, "steps" | "currency">,
  monitor: RunMonitor,
): RunDetail {
  const currency = (): string | null => monitor.tally.currency;
  const detail = new RunDetail({ ...options, steps: steps.map(({ step }) => step), currency });
  monitor.observe(detail.observe);
  return detail;
}

/** The error of ours that it ends with, or null. */
async function errorOf(work: () => Promise<void>): Promise<LLMEtlError | null> {
  try {
    await work();
    return null;
  } catch (error) {
    if (error instanceof LLMEtlError) return error;
    throw error;
  }
}
