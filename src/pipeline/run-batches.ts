import { setTimeout } from "node:timers/promises";
import type { RunReport } from "../contracts/report.ts";
import { BatchRun } from "../batches/batch-run.ts";
import { type BatchOptions, type ResolvedBatchOptions, resolveBatchOptions } from "../batches/options.ts";
import { WaitingForBatchError } from "../errors/batch.ts";
import { type LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";
import {
  checkOptions,
  isBoolean,
  isCount,
  isDuration,
  isOneOf,
  optional,
  type OptionCheck,
} from "../errors/options.ts";
import { ProviderError } from "../llm/provider-error.ts";
import { roundAmount } from "../llm/pricing.ts";
import type { PipelineDefinition } from "./definition.ts";
import { runChecks, type RunOptions } from "./options.ts";
import { type ResolvedPipeline, resolvePipeline } from "./resolve.ts";
import { rowsOfRun } from "./rows-of-run.ts";
import { startRun } from "./run.ts";

const batchChecks: { readonly [Name in keyof BatchOptions]-?: OptionCheck } = {
  wait: optional(isBoolean),
  batchPollMs: optional(isDuration(1)),
  onBatchMiss: optional(isOneOf("again", "online", "fail")),
  batchMinRequests: optional(isCount(0)),
  keepBatchFiles: optional(isBoolean),
  batchLookAgainMs: optional(isDuration(0)),
};

/** Runs a pipeline over the Batch API of its providers: see `RunnablePipeline.runBatches`. */
export async function runBatches(
  definition: PipelineDefinition,
  given: RunOptions & BatchOptions = {},
): Promise<RunReport> {
  checkOptions("runBatches", given, { ...runChecks, ...batchChecks });
  const { wait, batchPollMs, onBatchMiss, batchMinRequests, keepBatchFiles, batchLookAgainMs, ...runOptions } = given;
  const ofBatches = { wait, batchPollMs, onBatchMiss, batchMinRequests, keepBatchFiles, batchLookAgainMs };
  const options = resolveBatchOptions(ofBatches);
  const pipeline = resolvePipeline(definition, runOptions);
  requireBatches(pipeline);
  const signal = runOptions.signal ?? new AbortController().signal;
  const errors = new Map<string, ProviderError>();
  let parks = true;
  let before: RunReport | undefined;
  for (;;) {
    const { name, providers, settings } = pipeline;
    const spentBefore = before?.cost?.amount;
    const run = new BatchRun({ ...options, pipeline: name, providers, parks, errors, spentBefore });
    const handedOver = { isEnough: true };
    const finish = async (): Promise<void> => {
      handedOver.isEnough = await run.finish(signal);
    };
    const rows = rowsOfRun(pipeline, runOptions);
    const wave = await startRun(pipeline, { ...runOptions, kind: "run", ...rows, batches: run, finish });
    const report = before === undefined ? wave : withSpending(wave, before);
    before = report;
    if (report.error !== null && report.error.code !== "WAITING_FOR_BATCH") return report;
    if (!handedOver.isEnough) {
      parks = false;
      continue;
    }
    parks = true;
    if (report.error === null && run.failure === undefined) return report;
    const waiting = { ...report, status: "failed", exitCode: 3, error: run.failure ?? waitingFor(run) } as const;
    if (run.failure !== undefined && !(options.wait && mayPass(run.failure))) return waiting;
    if (run.open.length === 0) return { ...waiting, error: limitReached(settings.maxCost) };
    if (!options.wait || (await isStopped(run, options, signal))) return waiting;
  }
}

/** Waits until a batch has ended. Resolves to true if the signal aborts before. */
async function isStopped(run: BatchRun, { batchPollMs }: ResolvedBatchOptions, signal: AbortSignal): Promise<boolean> {
  try {
    do await setTimeout(batchPollMs, undefined, { signal });
    while (!(await run.hasEnded(signal)));
    return false;
  } catch (error) {
    if (signal.aborted) return true;
    throw error;
  }
}

function mayPass(error: LLMEtlError): boolean {
  return error instanceof ProviderError && error.class === "transient";
}

function waitingFor({ open }: BatchRun): WaitingForBatchError {
  const requests = open.reduce((sum, { facts }) => sum + Number(facts["requests"] ?? 0), 0);
  const batches = open.length === 1 ? "1 batch" : `${open.length} batches`;
  return new WaitingForBatchError(`waiting for ${batches} with ${requests} requests`, {
    batches: open.length,
    requests,
  });
}

/** Nothing is in a batch, and something was not handed over: it did not fit. */
function limitReached(maxCost: number): RunError {
  const hint = "raise it and run again to go on";
  const problem = `the run has reached maxCost (${maxCost}): the next request in a batch may cost more than is left`;
  return new RunError("LIMIT_REACHED", problem, { facts: { maxCost, hint } });
}

/** The report of the last run, with the calls of those before it. */
function withSpending(last: RunReport, before: RunReport): RunReport {
  const { usage, cost } = last;
  const { calls, reAsks, inputTokens, cachedTokens, outputTokens } = before.usage;
  const amount = roundAmount((cost?.amount ?? 0) + (before.cost?.amount ?? 0));
  const currency = cost?.currency ?? before.cost?.currency;
  return {
    ...last,
    usage: {
      ...usage,
      calls: usage.calls + calls,
      reAsks: usage.reAsks + reAsks,
      inputTokens: usage.inputTokens + inputTokens,
      cachedTokens: usage.cachedTokens + cachedTokens,
      outputTokens: usage.outputTokens + outputTokens,
      reusedAnswers: before.usage.reusedAnswers,
      savedInputTokens: before.usage.savedInputTokens,
      savedOutputTokens: before.usage.savedOutputTokens,
    },
    cost: currency === undefined ? null : { amount, currency },
    savedCost: before.savedCost,
    durationMs: last.durationMs + before.durationMs,
  };
}

/** @throws {OptionError} if the journal is off, answers are asked anew, or a provider has no Batch API */
function requireBatches({ stores, settings, providers }: ResolvedPipeline): void {
  if (stores.journal === null) {
    const hint = "leave journal out: it knows what was handed over, and what came back";
    throw new OptionError("run", "batch", "needs a journal", { expected: "a journal", got: "off", hint });
  }
  if (!settings.cache) {
    const hint = "leave out cache: false (--no-cache)";
    throw new OptionError("run", "batch", "answers come by way of the journal, and can't be asked anew", { hint });
  }
  const without = providers.find(({ batch }) => batch === undefined);
  if (without === undefined) return;
  const hint = "give it the option batch, or run without batch (--batch)";
  throw new OptionError("run", "batch", `${without.name} has no Batch API`, { provider: without.name, hint });
}
