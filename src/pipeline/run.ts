import type { PipelineDefinition } from "./definition.ts";
import { randomUUID } from "node:crypto";
import { DeadLetterFile } from "../dead-letter/file.ts";
import { DeadLetterReplay } from "../dead-letter/replay.ts";
import type { Journal } from "../contracts/journal.ts";
import { SQLiteJournal } from "../journals/sqlite.ts";
import { resolveAdmission } from "../llm/limits/options.ts";
import { AnswerCache } from "../llm/call/answer-cache.ts";
import { Budget } from "../llm/call/budget.ts";
import { LLMClient } from "../llm/call/client.ts";
import { PayloadLog } from "../llm/call/payload-log.ts";
import type { LLMProvider } from "../contracts/provider.ts";
import type { AnySource } from "../contracts/source.ts";
import type { Step } from "../contracts/step.ts";
import { currencyOf } from "./currency.ts";
import { runEngine } from "../engine/engine.ts";
import type { EventHandler, RunEvent } from "../contracts/events.ts";
import { LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions } from "../errors/options.ts";
import { type ReplayOptions, replayChecks, runChecks, type RunOptions } from "./options.ts";
import { absolutePath } from "../files/paths.ts";
import { countRows } from "./row-count.ts";
import type { ReplayReport, RunReport } from "../contracts/report.ts";
import { Tally } from "./tally.ts";
import { deadLetterPathOf, journalPathOf, payloadLogPathOf } from "./run-files.ts";
import { RunRecorder } from "./recorder.ts";

/** What a run does otherwise than its pipeline says. */
interface Replacement {
  /** Whom every step asks. */
  readonly llmProvider?: LLMProvider | undefined;
  /** Where rows come from, once the journal is open. */
  readonly source?: (journal: Journal | undefined) => Promise<AnySource>;
  /** Called when the last row has ended, while the journal is still held. */
  readonly finish?: () => Promise<void>;
}

/** Takes every row of the source through the steps to the sink: see `RunnablePipeline.run`. */
export async function runPipeline(pipeline: PipelineDefinition, runOptions: RunOptions = {}): Promise<RunReport> {
  checkOptions("run", runOptions, runChecks);
  return await run(pipeline, runOptions, {});
}

/** Takes the rows of a dead letter file through the steps to the sink: see `RunnablePipeline.replay`. */
export async function replayPipeline(
  { options, steps, sink }: PipelineDefinition,
  replayOptions: ReplayOptions = {},
): Promise<ReplayReport> {
  checkOptions("replay", replayOptions, replayChecks);
  const { path, codes, llmProvider, ...runOptions } = replayOptions;
  if (!sink.keepsRows) {
    const problem = `${sink.name} writes its file anew in each run: run the pipeline again, failed rows are tried again`;
    throw new OptionError("replay", "path", problem);
  }
  if (options.journal === "off") throw new OptionError("Pipeline", "journal", 'is "off", and a replay needs it');
  const deadLetterPath = path === undefined ? deadLetterPathOf(options) : absolutePath(path);
  const replay = await DeadLetterReplay.open(deadLetterPath, options.name, codes);
  const report = await run(
    { options: { ...options, onRowError: "dead_letter", deadLetterPath }, steps, sink },
    {
      ...runOptions,
      onEvent: (event) => {
        replay.observe(event);
        return runOptions.onEvent?.(event);
      },
    },
    {
      llmProvider,
      source: async (journal) =>
        await replay.begin(options.source, async (pk) => (await journal?.writtenRow(sink.identity, pk))?.completedAt),
      finish: async () => await replay.finish(),
    },
  );
  return { ...report, ...replay.figures };
}

/** The one place where the parts of a run are put together. */
async function run(
  { options, steps, sink }: PipelineDefinition,
  runOptions: RunOptions,
  replacement: Replacement,
): Promise<RunReport> {
  const { name, flushIntervalMs = 2000 } = options;
  const {
    limit = Infinity,
    parameters = {},
    gracePeriodMs = 30_000,
    onEvent,
    fresh = false,
    cache = true,
  } = runOptions;
  const { concurrency = options.concurrency ?? 32, batchSize = options.batchSize ?? 500 } = runOptions;
  const { onRowError = options.onRowError ?? "fail", maxRowErrors = options.maxRowErrors } = runOptions;
  const { maxCalls = options.maxCalls ?? Infinity, maxCost = options.maxCost ?? Infinity } = runOptions;
  const providerOf = (step: Step<never, string, unknown>): LLMProvider =>
    replacement.llmProvider ?? step.llmProvider ?? options.llmProvider;
  const providers = new Set(steps.map(providerOf));
  for (const provider of providers) provider.fingerprint(); // throws here, not at the first row, what it lacks
  const currency = currencyOf([...providers], maxCost);

  const runId = randomUUID();
  const startedAt = new Date();
  const startedMs = performance.now();
  const durationMs = (): number => Math.round(performance.now() - startedMs);
  const tally = new Tally(currency);
  const halt = new AbortController();
  let hasEnded = false;
  const emit = (event: RunEvent): void => {
    if (hasEnded) return; // a provider that does not heed its abort may still answer
    hasEnded = event.type === "run-end";
    tally.add(event);
    if (event.type === "row-end") stopAtTooManyErrors(tally, maxRowErrors, halt);
    handOver(event, onEvent, halt);
  };
  const kind = replacement.source ? "replay" : "run";
  const journal = options.journal === "off" ? undefined : await SQLiteJournal.open(journalPathOf(options));
  const recorder = new RunRecorder({
    journal,
    run: { runId, pipeline: name, kind, sink: sink.identity, startedAt },
    figures: () => tally.figures(durationMs()),
    onFailure: (error) => halt.abort(error),
  });
  let stopCounting: (() => Promise<void>) | undefined;
  let payloadLog: PayloadLog | undefined;
  let deadLetter: DeadLetterFile | undefined;
  try {
    await recorder.begin();
    payloadLog = await openPayloadLog(options, runId);
    deadLetter =
      onRowError === "dead_letter"
        ? await DeadLetterFile.open(deadLetterPathOf(options), { runId, pipeline: name })
        : undefined;
    const client = new LLMClient({
      pipeline: name,
      concurrency,
      admission: resolveAdmission(options.admission),
      budget: new Budget({ maxCalls, maxCost }),
      payloadLog,
      cache: journal && new AnswerCache({ journal, runId, reuseEarlier: cache }),
      emit,
    });
    const source = (await replacement.source?.(journal)) ?? options.source;
    emit({
      type: "run-start",
      runId,
      pipeline: name,
      kind,
      startedAt,
      source: source.name,
      sink: sink.identity,
      steps: steps.map((step) => step.name),
      concurrency,
      currency,
      journalPath: journal === undefined ? null : journalPathOf(options),
      payloadLogPath: payloadLog === undefined ? null : payloadLogPathOf(options),
      deadLetterPath: deadLetter === undefined ? null : deadLetterPathOf(options),
    });
    if (runOptions.countRows === true) stopCounting = countRows({ source, parameters, limit, emit });
    const error = await runEngine({
      runId,
      source,
      steps,
      sink,
      journal,
      fresh,
      onRowError,
      deadLetter,
      concurrency,
      batchSize,
      flushIntervalMs,
      gracePeriodMs,
      limit,
      parameters,
      emit,
      signal: runOptions.signal === undefined ? halt.signal : AbortSignal.any([runOptions.signal, halt.signal]),
      stopNowSignal: runOptions.stopNowSignal,
      conversation: (step, pk, signal) =>
        client.conversation({ step: step.name, pk, provider: providerOf(step), signal }),
    });
    await stopCounting?.();
    const failure = await errorOf(replacement.finish);
    const ended = { runId, durationMs: durationMs() };
    let report = tally.report({ ...ended, error: error ?? failure });
    const unkept = await errorOf(async () => await recorder.end(report));
    if (unkept !== null) report = tally.report({ ...ended, error: report.error ?? unkept });
    emit({ type: "run-end", report });
    return report;
  } catch (refusal) {
    await recorder.refuse(refusal).catch(() => {}); // what refused the run says more than that this can't be kept
    throw refusal;
  } finally {
    await stopCounting?.();
    await Promise.allSettled([payloadLog?.close(), deadLetter?.close()]); // every line in them was awaited
    await journal?.close();
  }
}

/** The error of ours that it ends with, or null. */
async function errorOf(work: (() => Promise<void>) | undefined): Promise<LLMEtlError | null> {
  try {
    await work?.();
    return null;
  } catch (error) {
    if (error instanceof LLMEtlError) return error;
    throw error;
  }
}

/** Shows an event to the user's handler. What it throws, also later, stops the run. */
function handOver(event: RunEvent, onEvent: EventHandler | undefined, halt: AbortController): void {
  const stop = (cause: unknown): void => {
    halt.abort(new RunError("EVENT_HANDLER_FAILED", "the onEvent handler threw, so the run was stopped", { cause }));
  };
  try {
    const result: unknown = onEvent?.(event);
    if (result instanceof Promise) result.catch(stop);
  } catch (cause) {
    stop(cause);
  }
}

/** Few rows say nothing about a share. */
const rowsBeforeShare = 200;

function stopAtTooManyErrors(tally: Tally, maxRowErrors: number | undefined, halt: AbortController): void {
  const { badCount, readCount } = tally;
  if (maxRowErrors === undefined || halt.signal.aborted) return;
  if (maxRowErrors < 1 ? readCount < rowsBeforeShare || badCount <= maxRowErrors * readCount : badCount < maxRowErrors)
    return;
  const problem = `${badCount} of ${readCount} rows have failed, and maxRowErrors is ${maxRowErrors}`;
  halt.abort(new RunError("TOO_MANY_ROW_ERRORS", `${problem}; look at their causes before you run again`));
}

async function openPayloadLog(options: PipelineDefinition["options"], runId: string): Promise<PayloadLog | undefined> {
  const { payloadLog: level = "full", payloadLogMaxBytes: maxBytes = 1024 ** 3, redact = (text) => text } = options;
  if (level === "off") return undefined;
  return await PayloadLog.open({ path: payloadLogPathOf(options), runId, level, redact, maxBytes });
}
