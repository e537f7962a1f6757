import { randomUUID } from "node:crypto";
import { DeadLetterFile } from "../dead-letter/file.ts";
import { type AdmissionOptions, checkAdmission, resolveAdmission } from "../llm/admission-options.ts";
import { Budget } from "../llm/budget.ts";
import { LLMClient } from "../llm/client.ts";
import { PayloadLog } from "../llm/payload-log.ts";
import type { LLMProvider } from "../llm/providers/base.ts";
import type { Sink } from "../sinks/base.ts";
import type { Parameters, Source } from "../sources/base.ts";
import type { Step } from "../steps/base.ts";
import { runEngine } from "./engine.ts";
import type { EventHandler, RunEvent } from "./events.ts";
import { type LLMEtlError, OptionError, RunError } from "./exceptions.ts";
import {
  checkOptions,
  hasFunctions,
  isCount,
  isFunction,
  isName,
  isNumber,
  isObject,
  isOneOf,
  isPath,
  type OptionCheck,
  optional,
} from "./options.ts";
import { absolutePath } from "./paths.ts";
import { type RunReport, Tally } from "./report.ts";
import type { GlobalState, SinkState } from "./state.ts";

export interface PipelineOptions<Row extends object> {
  /** Names the pipeline in logs and caches. */
  readonly name: string;
  readonly source: Source<Row>;
  /** Whom a step asks that has no provider of its own. */
  readonly llmProvider: LLMProvider;
  /**
   * What a row that fails means: `fail` stops the run, `skip` leaves the row out, `dead_letter` keeps it in a file.
   * The other rows are not touched. @default "fail"
   */
  readonly onRowError?: "fail" | "skip" | "dead_letter" | undefined;
  /** Where `dead_letter` keeps failed rows: one JSON object a line, mode 0600. @default "output/failed_rows.jsonl" */
  readonly deadLetterPath?: string | URL | undefined;
  /** How many rows are in flight at once. @default 32 */
  readonly concurrency?: number | undefined;
  /** How many rows the sink writes at once. @default 500 */
  readonly batchSize?: number | undefined;
  /** How long a finished row waits for its batch to fill, in milliseconds. @default 2,000 */
  readonly flushIntervalMs?: number | undefined;
  /** How much of each call the payload log keeps: `metadata` leaves out messages and answers. @default "full" */
  readonly payloadLog?: "full" | "metadata" | "off" | undefined;
  /** One JSON object a line for each attempt, mode 0600. @default "logs/llm_payloads.jsonl" */
  readonly payloadLogPath?: string | URL | undefined;
  /** At this size the payload log is renamed and begun anew, in bytes. @default 1 GiB */
  readonly payloadLogMaxBytes?: number | undefined;
  /** Applied to each message and answer before it is logged. @default nothing is changed */
  readonly redact?: ((text: string) => string) | undefined;
  /** How calls are spaced, held back and tried again. */
  readonly admission?: AdmissionOptions | undefined;
  /** After so many failed or skipped rows (or, below 1, such a share of the rows, from 200 on) the run stops. @default never */
  readonly maxRowErrors?: number | undefined;
  /** The most calls of a run: it then stops, resumable. @default no limit */
  readonly maxCalls?: number | undefined;
  /** The most that a run may cost, in the currency of the providers' prices, give or take the calls in flight. @default no limit */
  readonly maxCost?: number | undefined;
}

export interface RunOptions {
  /** The most rows to read. @default all */
  readonly limit?: number | undefined;
  /** @default the pipeline's */
  readonly concurrency?: number | undefined;
  /** Values for the names in the source's statement; they win over the source's own. */
  readonly parameters?: Parameters | undefined;
  /** Aborting it stops the run: no further row is read, and what is complete is written. */
  readonly signal?: AbortSignal | undefined;
  /** How long rows in flight may take to finish when the run stops, in milliseconds. @default 30,000 */
  readonly gracePeriodMs?: number | undefined;
  /** Called for everything that happens. What it throws stops the run. */
  readonly onEvent?: EventHandler | undefined;
  /** @default the pipeline's */
  readonly maxCalls?: number | undefined;
  /** @default the pipeline's */
  readonly maxCost?: number | undefined;
}

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
    if (options.admission !== undefined) checkAdmission(options.admission);
    this.#options = options;
  }

  /** Adds a step. Its output stands in `state.processed` under its output key, for the steps after it and the sink. */
  step<const Key extends string, Out>(
    step: Step<GlobalState<Row, Processed>, Key extends keyof Processed ? never : Key, Out>,
  ): Pipeline<Row, Processed & { readonly [Name in Key]: Out }> {
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
    hasFunctionsOrThrow(sink);
    const options = this.#options;
    const steps = this.#steps;
    return { name: options.name, run: async (runOptions) => await run(options, steps, sink, runOptions) };
  }
}

const pipelineChecks: { readonly [Name in keyof PipelineOptions<object>]-?: OptionCheck } = {
  name: isName,
  source: hasFunctions("a source", "read"),
  llmProvider: hasFunctions("a provider", "complete", "fingerprint"),
  onRowError: optional(isOneOf("fail", "skip", "dead_letter")),
  deadLetterPath: optional(isPath),
  concurrency: optional(isCount(1)),
  batchSize: optional(isCount(1)),
  flushIntervalMs: optional(isCount(1)),
  payloadLog: optional(isOneOf("full", "metadata", "off")),
  payloadLogPath: optional(isPath),
  payloadLogMaxBytes: optional(isCount(1)),
  redact: optional(isFunction),
  admission: optional(isObject),
  maxRowErrors: optional({
    expected: "a whole number from 1 up, or a share between 0 and 1",
    fits: (value) => isCount(1).fits(value) || (typeof value === "number" && value > 0 && value < 1),
    required: true,
  }),
  maxCalls: optional(isCount(1)),
  maxCost: optional(isNumber(0)),
};

const runChecks: { readonly [Name in keyof RunOptions]-?: OptionCheck } = {
  limit: optional(isCount(1)),
  concurrency: optional(isCount(1)),
  parameters: optional(isObject),
  signal: optional({ expected: "an AbortSignal", fits: (value) => value instanceof AbortSignal, required: true }),
  gracePeriodMs: optional(isCount(0)),
  onEvent: optional(isFunction),
  maxCalls: optional(isCount(1)),
  maxCost: optional(isNumber(0)),
};

function hasFunctionsOrThrow(sink: object): void {
  const check = hasFunctions("a sink", "open");
  if (!check.fits(sink)) throw new OptionError("Pipeline", "to", `expected ${check.expected}`);
}

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
    try {
      onEvent?.(event);
    } catch (cause) {
      halt.abort(new RunError("EVENT_HANDLER_FAILED", "the onEvent handler threw, so the run was stopped", { cause }));
    }
  };
  const payloadLog = await openPayloadLog(options, runId);
  const deadLetter = onRowError === "dead_letter" ? await openDeadLetter(options, runId) : undefined;
  const budget = new Budget({ maxCalls, maxCost });
  const admission = resolveAdmission(options.admission);
  const client = new LLMClient({ pipeline: name, concurrency, admission, budget, payloadLog, emit });
  let error: LLMEtlError | null;
  emit({ type: "run-start", runId, pipeline: name, startedAt });
  try {
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
    await payloadLog?.close();
    await deadLetter?.close();
  }
  const report = tally.report({ runId, error, durationMs: Math.round(performance.now() - startedMs) });
  emit({ type: "run-end", report });
  return report;
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
  const { payloadLog: level = "full", payloadLogPath = "logs/llm_payloads.jsonl" } = options;
  const { payloadLogMaxBytes: maxBytes = 1024 ** 3, redact = (text) => text } = options;
  if (level === "off") return undefined;
  return await PayloadLog.open({ path: absolutePath(payloadLogPath), runId, level, redact, maxBytes });
}

async function openDeadLetter(options: LogOptions, runId: string): Promise<DeadLetterFile> {
  return await DeadLetterFile.open(absolutePath(options.deadLetterPath ?? "output/failed_rows.jsonl"), runId);
}
