import type { DeadLetter } from "../contracts/dead-letter.ts";
import type { Journal } from "../contracts/journal.ts";
import type { LLMProvider } from "../contracts/provider.ts";
import type { Destination } from "../contracts/sink.ts";
import type { AnySource, Parameters } from "../contracts/source.ts";
import type { AnyStep, ResolvedStep } from "../contracts/step.ts";
import type { PayloadLogOptions } from "../llm/call/payload-log.ts";
import { defaultGracePeriodMs } from "../engine/ending.ts";
import { type ResolvedAdmissionOptions, resolveAdmission } from "../llm/limits/options.ts";
import type { BudgetOption } from "./budget.ts";
import type { PipelineDefinition } from "./definition.ts";
import type { PipelineOptions, RunOptions } from "./options.ts";
import { deadLetterOf, journalOf, payloadLogPathOf } from "./run-files.ts";

/** The settings of one run: its own options, then the pipeline's, then the defaults. */
export interface Settings {
  readonly onRowError: NonNullable<PipelineOptions<object>["onRowError"]>;
  readonly concurrency: number;
  readonly batchSize: number;
  readonly flushIntervalMs: number;
  readonly gracePeriodMs: number;
  readonly openTimeoutMs: number;
  readonly closeTimeoutMs: number;
  /** The most rows to read; Infinity for all. */
  readonly limit: number;
  readonly parameters: Parameters;
  /** Infinity for any number. */
  readonly maxRowErrors: number;
  /** True to stop where the first rows all fail after calls. */
  readonly stopsAtFirstFailures: boolean;
  readonly maxCalls: number;
  readonly maxCost: number;
  readonly budget: BudgetOption | undefined;
  readonly fresh: boolean;
  readonly full: boolean;
  readonly replace: boolean;
  readonly cache: boolean;
  readonly countRows: boolean;
  readonly redact: (text: string) => string;
  readonly admission: ResolvedAdmissionOptions;
}

/** The places for all that a run leaves; null where one is off. All paths are absolute. */
export interface Stores {
  readonly journal: Journal | null;
  readonly payloadLog: Omit<PayloadLogOptions, "runId"> | null;
  readonly deadLetter: DeadLetter | null;
}

/** All that a pipeline is, with every default filled in: `run`, `check` and `describeTarget` read this and nothing else. */
export interface ResolvedPipeline {
  readonly name: string;
  readonly source: AnySource;
  readonly steps: readonly ResolvedStep[];
  /** The providers of the steps, each once. */
  readonly providers: readonly LLMProvider[];
  /** At least one. */
  readonly destinations: readonly Destination[];
  readonly settings: Settings;
  readonly stores: Stores;
}

/** Resolves a pipeline for one run. Every step asks `llmProvider` where it is given, as in a replay. */
export function resolvePipeline(
  { options, steps, destinations }: PipelineDefinition,
  runOptions: RunOptions = {},
  llmProvider?: LLMProvider,
): ResolvedPipeline {
  const resolvedSteps = steps.map((step) => resolveStep(step, options.llmProvider, llmProvider));
  const settings = settingsOf(options, runOptions);
  return {
    name: options.name,
    source: options.source,
    steps: resolvedSteps,
    providers: [...new Set(resolvedSteps.flatMap(({ provider, choices }) => Object.values(choices ?? { provider })))],
    destinations,
    settings,
    stores: {
      journal: journalOf(options),
      payloadLog: payloadLogOf(options),
      deadLetter: settings.onRowError === "dead_letter" ? deadLetterOf(options) : null,
    },
  };
}

function resolveStep(step: AnyStep, ofPipeline: LLMProvider, forAll: LLMProvider | undefined): ResolvedStep {
  const { llmProvider, llmProviders: choices = {} } = step;
  if (forAll !== undefined) return { step, provider: forAll };
  if (typeof llmProvider !== "function") return { step, provider: llmProvider ?? ofPipeline };
  return { step, provider: Object.values(choices)[0] ?? ofPipeline, choices };
}

/** The one place with the defaults of a run. */
function settingsOf(pipeline: PipelineDefinition["options"], run: RunOptions): Settings {
  const maxRowErrors = run.maxRowErrors ?? pipeline.maxRowErrors;
  return {
    onRowError: run.onRowError ?? pipeline.onRowError ?? "fail",
    concurrency: run.concurrency ?? pipeline.concurrency ?? 32,
    batchSize: run.batchSize ?? pipeline.batchSize ?? 500,
    flushIntervalMs: pipeline.flushIntervalMs ?? 2000,
    gracePeriodMs: run.gracePeriodMs ?? defaultGracePeriodMs,
    openTimeoutMs: pipeline.openTimeoutMs ?? 60_000,
    closeTimeoutMs: pipeline.closeTimeoutMs ?? 30_000,
    limit: run.limit ?? Infinity,
    parameters: run.parameters ?? {},
    maxRowErrors: maxRowErrors === undefined || maxRowErrors === "never" ? Infinity : maxRowErrors,
    stopsAtFirstFailures: maxRowErrors === undefined,
    maxCalls: run.maxCalls ?? pipeline.maxCalls ?? Infinity,
    maxCost: run.maxCost ?? pipeline.maxCost ?? Infinity,
    budget: pipeline.budget,
    fresh: run.fresh ?? false,
    full: run.full ?? false,
    replace: run.replace ?? false,
    cache: run.cache ?? true,
    countRows: run.countRows ?? false,
    redact: pipeline.redact ?? ((text) => text),
    admission: resolveAdmission(pipeline.admission),
  };
}

function payloadLogOf(options: PipelineDefinition["options"]): Stores["payloadLog"] {
  const { payloadLog: level = "full", payloadLogMaxBytes: maxBytes = 1024 ** 3, redact = (text) => text } = options;
  const { payloadLogKeepDays: keepDays } = options;
  return level === "off" ? null : { path: payloadLogPathOf(options), level, redact, maxBytes, keepDays };
}
