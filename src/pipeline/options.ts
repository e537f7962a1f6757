import type { DeadLetter } from "../contracts/dead-letter.ts";
import type { Journal } from "../contracts/journal.ts";
import type { AdmissionOptions } from "../llm/limits/options.ts";
import type { LLMProvider } from "../contracts/provider.ts";
import type { Parameters, Source } from "../contracts/source.ts";
import type { EventHandler, RunEvent } from "../contracts/events.ts";
import type { BudgetOption } from "./budget.ts";
import {
  hasFunctions,
  isBoolean,
  isCount,
  isDuration,
  isFunction,
  isName,
  isNumber,
  isObject,
  isOneOf,
  isPath,
  isTextList,
  type OptionCheck,
  optional,
} from "../errors/options.ts";

export interface PipelineOptions<Row extends object> {
  /** Names the pipeline in logs and caches. */
  readonly name: string;
  readonly source: Source<Row>;
  /** The provider for steps that don't set their own. */
  readonly llmProvider: LLMProvider;
  /**
   * The consequence of a row that fails: `fail` stops the run, `skip` leaves the row out, `dead_letter` keeps it, in a file.
   * The other rows are not touched. @default "fail"
   */
  readonly onRowError?: "fail" | "skip" | "dead_letter" | undefined;
  /** The place where `dead_letter` keeps failed rows. @default a `DeadLetterFile` at `deadLetterPath` */
  readonly deadLetter?: DeadLetter | undefined;
  /** The path of its file, in short: one JSON object a line, mode 0600. @default "output/<name>.failed_rows.jsonl" */
  readonly deadLetterPath?: string | URL | undefined;
  /** Rows processed concurrently. @default 32 */
  readonly concurrency?: number | undefined;
  /** Rows that the sink writes at once, in one batch. @default 500 */
  readonly batchSize?: number | undefined;
  /** The longest time that a finished row waits for its batch to fill, in milliseconds. @default 2,000 */
  readonly flushIntervalMs?: number | undefined;
  /** The longest time that opening the sink, the journal or the dead letters may take, and their preflight, in milliseconds. @default 60,000 */
  readonly openTimeoutMs?: number | undefined;
  /** The longest time that closing each of them may take, in milliseconds. @default 30,000 */
  readonly closeTimeoutMs?: number | undefined;
  /** The part of each call that the payload log keeps: `metadata` leaves out messages and answers. @default "full" */
  readonly payloadLog?: "full" | "metadata" | "off" | undefined;
  /** One JSON object a line for each attempt, mode 0600. @default "logs/llm_payloads.jsonl" */
  readonly payloadLogPath?: string | URL | undefined;
  /** At this size the payload log is renamed and begun anew, in bytes. @default 1 GiB */
  readonly payloadLogMaxBytes?: number | undefined;
  /** The age in days beyond which lines of the payload log, and of those it was before, are removed as a run begins. @default all are kept */
  readonly payloadLogKeepDays?: number | undefined;
  /**
   * The journal, which keeps answers, rows and runs: what was done is then not done or paid for again. `"off"` for none.
   * `"on"` works until 1.0. @default one file, mode 0600, ".llm-etl/<name>.db" in the working directory
   */
  readonly journal?: Journal | "on" | "off" | undefined;
  /** @deprecated Give `journal` a journal with that path (docs/journal.md). This works until 1.0. */
  readonly journalPath?: string | URL | undefined;
  /** Applied to each message and answer before it is logged. @default nothing is changed */
  readonly redact?: ((text: string) => string) | undefined;
  /** Settings for pacing, waits and retries of calls. */
  readonly admission?: AdmissionOptions | undefined;
  /**
   * After so many failed or skipped rows (or, below 1, such a share of the rows, from 200 on) the run stops; `"never"` for any number.
   * @default after 20 rows that failed after a call, while no row has been written or found unchanged; those that failed in their last
   * run, too, are not counted, and a replay goes on
   */
  readonly maxRowErrors?: number | "never" | undefined;
  /** The most calls of a run: it then stops, resumable. @default no limit */
  readonly maxCalls?: number | undefined;
  /**
   * The most that a run may cost, in the currency of the providers' prices: a call goes only if it, and all in flight, can't bring the run above.
   * An attempt whose tokens the service does not tell counts as the dearest that it can have been. @default no limit
   */
  readonly maxCost?: number | undefined;
  /**
   * The most that is spent in a calendar day, or month, by all runs that have a budget and use the same journal, whatever their pipeline: a call goes
   * only once the most that it can cost is reserved there. A run that has to stop is resumable. @default no limit
   *
   * @example budget: { perDay: 50, perMonth: 500, timeZone: "Europe/Berlin" }
   */
  readonly budget?: BudgetOption | undefined;
}

export interface RunOptions {
  /** The most rows to read. @default all */
  readonly limit?: number | undefined;
  /** @default the pipeline's */
  readonly concurrency?: number | undefined;
  /** @default the pipeline's */
  readonly batchSize?: number | undefined;
  /** @default the pipeline's */
  readonly onRowError?: PipelineOptions<object>["onRowError"];
  /** @default the pipeline's */
  readonly maxRowErrors?: PipelineOptions<object>["maxRowErrors"];
  /**
   * Has the source say how many rows there are, in a `source-count` event: a second query to the database, or a second
   * reading of a file, beside the first. @default false
   */
  readonly countRows?: boolean | undefined;
  /** Values for the names in the source's statement; they win over the source's own. */
  readonly parameters?: Parameters | undefined;
  /** Aborting it stops the run: no further row is read, and what is complete is written. */
  readonly signal?: AbortSignal | undefined;
  /** The time that rows in flight have to finish when the run stops, in milliseconds: a signal ends the run within 8 s after it, whatever hangs. @default 20,000 */
  readonly gracePeriodMs?: number | undefined;
  /** Aborting it stops the run with no grace period, or ends the one that is under way; what is complete is still written. */
  readonly stopNowSignal?: AbortSignal | undefined;
  /**
   * Called for everything that happens. What it throws stops the run (but for `run-end`, which is the last). It may return a
   * promise: where 1,000 of them have not resolved, no further row is read until one has.
   */
  readonly onEvent?: EventHandler | ((event: RunEvent) => Promise<void>) | undefined;
  /** @default the pipeline's */
  readonly maxCalls?: number | undefined;
  /** @default the pipeline's */
  readonly maxCost?: number | undefined;
  /** Writes every row again, also those whose values did not change: the target was emptied, say. @default false */
  readonly fresh?: boolean | undefined;
  /**
   * Reads every row, also where the source can tell which rows changed (its `changes`): what a function closes over was changed, say. Rows whose
   * values did not change are not written again. `fresh` includes it. @default false
   */
  readonly full?: boolean | undefined;
  /**
   * Lets a run with `limit`, or one in which every row fails, replace the complete file of an earlier run: of a sink that
   * writes its file anew. @default false
   */
  readonly replace?: boolean | undefined;
  /** True to reuse answers of earlier runs; false asks the model again, once for equal requests. @default true */
  readonly cache?: boolean | undefined;
}

/** The options of a preview; those that a run has too mean the same. */
export interface PreviewOptions extends Pick<
  RunOptions,
  | "concurrency"
  | "parameters"
  | "signal"
  | "stopNowSignal"
  | "gracePeriodMs"
  | "onEvent"
  | "maxCalls"
  | "maxCost"
  | "cache"
> {
  /** The number of rows. @default 5 */
  readonly rows?: number | undefined;
  /** True for a random sample of all rows instead of the first ones. The whole source is read. @default false */
  readonly sample?: boolean | undefined;
  /** Chooses the sample: the same seed gives the same rows, as long as the source does. @default 0 */
  readonly seed?: number | undefined;
}

/** The options of a replay; the rest is as in a run. */
export interface ReplayOptions extends Omit<RunOptions, "limit" | "fresh" | "full" | "replace" | "onRowError"> {
  /** A dead letter file. @default the pipeline's dead letters */
  readonly path?: string | URL | undefined;
  /** Only rows that failed with one of these error codes. @default all */
  readonly codes?: readonly string[] | undefined;
  /** The provider that every step asks instead of its own. @default each its own */
  readonly llmProvider?: LLMProvider | undefined;
}

const isProvider: OptionCheck = hasFunctions("a provider", "complete", "fingerprint");

/** The check of each option. */
export const pipelineChecks: { readonly [Name in keyof PipelineOptions<object>]-?: OptionCheck } = {
  name: isName,
  source: hasFunctions("a source", "read"),
  llmProvider: isProvider,
  onRowError: optional(isOneOf("fail", "skip", "dead_letter")),
  deadLetterPath: optional(isPath),
  concurrency: optional(isCount(1)),
  batchSize: optional(isCount(1)),
  flushIntervalMs: optional(isDuration(1)),
  openTimeoutMs: optional(isDuration(1)),
  closeTimeoutMs: optional(isDuration(1)),
  payloadLog: optional(isOneOf("full", "metadata", "off")),
  payloadLogPath: optional(isPath),
  payloadLogMaxBytes: optional(isCount(1)),
  payloadLogKeepDays: optional(isCount(1)),
  deadLetter: optional(hasFunctions("a dead letter office", "open", "replay")),
  journal: optional({
    expected: 'a journal (an object with open, reader) or "off"',
    fits: (value) => value === "on" || value === "off" || hasFunctions("", "open", "reader").fits(value),
    required: true,
  }),
  journalPath: optional(isPath),
  redact: optional(isFunction),
  admission: optional(isObject),
  maxRowErrors: optional({
    expected: 'a whole number from 1 up, a share between 0 and 1, or "never"',
    fits: (value) =>
      value === "never" || isCount(1).fits(value) || (typeof value === "number" && value > 0 && value < 1),
    required: true,
  }),
  maxCalls: optional(isCount(1)),
  maxCost: optional(isNumber(0)),
  budget: optional(isObject),
};

const isSignal: OptionCheck = {
  expected: "an AbortSignal",
  fits: (value) => value instanceof AbortSignal,
  required: true,
};

/** The check of each option of a run. */
export const runChecks: { readonly [Name in keyof RunOptions]-?: OptionCheck } = {
  limit: optional(isCount(1)),
  concurrency: optional(isCount(1)),
  batchSize: pipelineChecks.batchSize,
  onRowError: pipelineChecks.onRowError,
  maxRowErrors: pipelineChecks.maxRowErrors,
  countRows: optional(isBoolean),
  parameters: optional(isObject),
  signal: optional(isSignal),
  stopNowSignal: optional(isSignal),
  gracePeriodMs: optional(isDuration(0)),
  onEvent: optional(isFunction),
  maxCalls: optional(isCount(1)),
  maxCost: optional(isNumber(0)),
  fresh: optional(isBoolean),
  full: optional(isBoolean),
  replace: optional(isBoolean),
  cache: optional(isBoolean),
};

const {
  limit: _limit,
  fresh: _fresh,
  full: _full,
  replace: _replace,
  onRowError: _onRowError,
  ...sharedChecks
} = runChecks;

/** The check of each option of a replay. */
export const replayChecks: { readonly [Name in keyof ReplayOptions]-?: OptionCheck } = {
  ...sharedChecks,
  path: optional(isPath),
  codes: optional(isTextList),
  llmProvider: optional(isProvider),
};

/** The check of each option of a preview. */
export const previewChecks: { readonly [Name in keyof PreviewOptions]-?: OptionCheck } = {
  rows: optional(isCount(1)),
  sample: optional(isBoolean),
  seed: optional(isCount(0)),
  concurrency: runChecks.concurrency,
  parameters: runChecks.parameters,
  signal: runChecks.signal,
  stopNowSignal: runChecks.stopNowSignal,
  gracePeriodMs: runChecks.gracePeriodMs,
  onEvent: runChecks.onEvent,
  maxCalls: runChecks.maxCalls,
  maxCost: runChecks.maxCost,
  cache: runChecks.cache,
};
