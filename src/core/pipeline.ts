import { randomUUID } from "node:crypto";
import { DeadLetterFile } from "../dead-letter/file.ts";
import { checkAdmission, resolveAdmission } from "../llm/admission-options.ts";
import { Budget } from "../llm/budget.ts";
import { LLMClient } from "../llm/client.ts";
import { PayloadLog } from "../llm/payload-log.ts";
import type { LLMProvider } from "../llm/providers/base.ts";
import type { Sink } from "../sinks/base.ts";
import type { Step } from "../steps/base.ts";
import { runEngine } from "./engine.ts";
import type { EventHandler, RunEvent } from "./events.ts";
import { type LLMEtlError, OptionError, RunError } from "./exceptions.ts";
import { checkOptions, hasFunctions, type OptionCheck } from "./options.ts";
import { pipelineChecks, type PipelineOptions, runChecks, type RunOptions } from "./pipeline-options.ts";
import { absolutePath } from "./paths.ts";
import { type RunReport, Tally } from "./report.ts";
import type { GlobalState, SinkState } from "./state.ts";

/** A pipeline with its sink: ready to run, as often as you like. */
export interface RunnablePipeline {
  readonly name: string;
  /**
   * Takes every row from the source to the sink. Resolves to the report, also when rows failed or the run was stopped:
   * `status`, `error` and `exitCode` say so.
   *
   * @throws {LLMEtlError} if the run is refused before the first row: an option, a setting or a target that does not fit
   */
  readonly run: (options?: RunOptions) => Promise<RunReport>;
}

type AnyStep = Step<never, string, unknown>;

/**
 * Rows from a source, through steps, to a sink. Immutable: `step` and `to` return new objects, and each step sees the
 * row and what the steps before it added.
 */
export class Pipeline<Row extends object, Processed extends object = object> {
  readonly #options: PipelineOptions<Row>;
  #steps: readonly AnyStep[] = [];

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: PipelineOptions<Row>) {
    checkOptions("Pipeline", options, pipelineChecks);
    if (options.deadLetterPath !== undefined && options.onRowError !== "dead_letter") {
      throw new OptionError("Pipeline", "deadLetterPath", 'is only used with onRowError: "dead_letter"');
    }
    if (options.deadLetterPath !== undefined && deadLetterPathOf(options) === payloadLogPathOf(options)) {
      throw new OptionError("Pipeline", "deadLetterPath", "is the payload log's path too: give each a file of its own");
    }
    if (options.admission !== undefined) checkAdmission(options.admission);
    this.#options = options;
  }

  /** Adds a step. Its output stands in `state.processed` under its output key, for the steps after it and the sink. */
  step<const Key extends string, Out>(
    step: Step<GlobalState<Row, Processed>, Key extends keyof Processed ? never : Key, Out>,
  ): Pipeline<Row, Processed & { readonly [Name in Key]: Out }> {
    if (!isStep.fits(step)) throw new OptionError("Pipeline", "step", `expected ${isStep.expected}`);
    for (const other of this.#steps) {
      if (other.name === step.name) throw new OptionError("Pipeline", "step", `two steps are named "${step.name}"`);
      if (other.outputKey === step.outputKey) {
        throw new OptionError("Pipeline", "step", `two steps have the output key "${step.outputKey}"`);
      }
    }
    const next = new Pipeline<Row, Processed & { readonly [Name in Key]: Out }>(this.#options);
    next.#steps = [...this.#steps, step];
    return next;
  }

  /** Ends in a sink. */
  to(sink: Sink<SinkState<Row, Processed>>): RunnablePipeline {
    if (!isSink.fits(sink)) throw new OptionError("Pipeline", "to", `expected ${isSink.expected}`);
    const options = this.#options;
    const steps = this.#steps;
    return { name: options.name, run: async (runOptions) => await run(options, steps, sink, runOptions) };
  }
}

const isStep: OptionCheck = hasFunctions("a step", "run");
const isSink: OptionCheck = hasFunctions("a sink", "open");

/** The one place where the parts of a run are put together. */
async function run<Row extends object, Processed extends object>(
  options: PipelineOptions<Row>,
  steps: readonly AnyStep[],
  sink: Sink<SinkState<Row, Processed>>,
  runOptions: RunOptions = {},
): Promise<RunReport> {
  checkOptions("run", runOptions, runChecks);
  const { name, source, llmProvider, onRowError = "fail", batchSize = 500, flushIntervalMs = 2000 } = options;
  const { limit = Infinity, parameters = {}, gracePeriodMs = 30_000, signal, onEvent } = runOptions;
  const { concurrency = options.concurrency ?? 32 } = runOptions;
  const { maxCalls = options.maxCalls ?? Infinity, maxCost = options.maxCost ?? Infinity } = runOptions;
  const providers = new Set(steps.map((step) => step.llmProvider ?? llmProvider));
  for (const provider of providers) provider.fingerprint(); // throws here, not at the first row, what it lacks
  const currency = currencyOf([...providers], maxCost);

  const runId = randomUUID();
  const startedAt = new Date();
  const startedMs = performance.now();
  const tally = new Tally(currency);
  const halt = new AbortController();
  const emit = (event: RunEvent): void => {
    tally.add(event);
    if (event.type === "row-end") stopAtTooManyErrors(tally, options.maxRowErrors, halt);
    handOver(event, onEvent, halt);
  };
  const budget = new Budget({ maxCalls, maxCost });
  const admission = resolveAdmission(options.admission);
  let payloadLog: PayloadLog | undefined;
  let deadLetter: DeadLetterFile | undefined;
  let error: LLMEtlError | null;
  try {
    payloadLog = await openPayloadLog(options, runId);
    deadLetter = onRowError === "dead_letter" ? await DeadLetterFile.open(deadLetterPathOf(options), runId) : undefined;
    const client = new LLMClient({ pipeline: name, concurrency, admission, budget, payloadLog, emit });
    emit({ type: "run-start", runId, pipeline: name, startedAt });
    error = await runEngine({
      runId,
      source,
      steps,
      sink,
      onRowError,
      deadLetter,
      concurrency,
      batchSize,
      flushIntervalMs,
      gracePeriodMs,
      limit,
      parameters,
      emit,
      signal: signal === undefined ? halt.signal : AbortSignal.any([signal, halt.signal]),
      conversation: (step, pk, working) =>
        client.conversation({ step: step.name, pk, provider: step.llmProvider ?? llmProvider, signal: working }),
    });
  } finally {
    await Promise.allSettled([payloadLog?.close(), deadLetter?.close()]); // every line in them was awaited
  }
  const report = tally.report({ runId, error, durationMs: Math.round(performance.now() - startedMs) });
  emit({ type: "run-end", report });
  return report;
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

/**
 * The currency in which the run's cost is added up, or null where no provider has prices.
 *
 * @throws {OptionError} if the prices are in two currencies, or `maxCost` is given and a provider has none
 */
function currencyOf(providers: readonly LLMProvider[], maxCost: number): string | null {
  const currencies = new Set(providers.flatMap(({ prices }) => (prices === undefined ? [] : [prices.currency])));
  if (currencies.size > 1) {
    throw new OptionError("Pipeline", "llmProvider", `prices in ${[...currencies].join(" and ")} can't be added up`);
  }
  const free = providers.find(({ prices }) => prices === undefined);
  if (maxCost < Infinity && free !== undefined) {
    throw new OptionError("Pipeline", "maxCost", `needs the prices of every provider: ${free.name} has none`);
  }
  return [...currencies][0] ?? null;
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

type LogOptions = Omit<PipelineOptions<object>, "source">;

async function openPayloadLog(options: LogOptions, runId: string): Promise<PayloadLog | undefined> {
  const { payloadLog: level = "full", payloadLogMaxBytes: maxBytes = 1024 ** 3, redact = (text) => text } = options;
  if (level === "off") return undefined;
  return await PayloadLog.open({ path: payloadLogPathOf(options), runId, level, redact, maxBytes });
}

function payloadLogPathOf({ payloadLogPath = "logs/llm_payloads.jsonl" }: LogOptions): string {
  return absolutePath(payloadLogPath);
}

function deadLetterPathOf({ deadLetterPath = "output/failed_rows.jsonl" }: LogOptions): string {
  return absolutePath(deadLetterPath);
}
