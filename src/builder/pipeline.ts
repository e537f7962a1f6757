import { resolvePipeline } from "../pipeline/resolve.ts";
import { checkAdmission } from "../llm/limits/options.ts";
import type { Destination, Each, Sink } from "../contracts/sink.ts";
import type { Step } from "../contracts/step.ts";
import { type CheckOptions, checkPipeline } from "../check/check.ts";
import type { CheckReport } from "../check/report.ts";
import type { Journal } from "../contracts/journal.ts";
import { warnOf } from "../errors/deprecation.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions, hasFunctions, isCount, isFunction, type OptionCheck, optional } from "../errors/options.ts";
import { type BudgetOption, checkBudget } from "../pipeline/budget.ts";
import type { PipelineDefinition } from "../pipeline/definition.ts";
import {
  pipelineChecks,
  type PipelineOptions,
  type PreviewOptions,
  type ReplayOptions,
  type RunOptions,
} from "../pipeline/options.ts";
import type { PreviewReport, ReplayReport, RunReport } from "../contracts/report.ts";
import type { PlanOptions } from "../plan/options.ts";
import { planPipeline } from "../plan/plan.ts";
import type { PlanReport } from "../plan/report.ts";
import { replayPipeline } from "../pipeline/replay.ts";
import { previewPipeline } from "../pipeline/preview.ts";
import { runPipeline } from "../pipeline/run-pipeline.ts";
import { deprecationsOf, requireStoreOptions } from "../pipeline/run-files.ts";
import type { GlobalState, SinkState } from "../engine/state.ts";
import type { TargetDescription } from "../contracts/target.ts";
import { describeTarget } from "../table/description.ts";

/** A pipeline with its sink: ready to run, as often as you like. `State` is the type of its finished states. */
export interface RunnablePipeline<State = unknown> {
  readonly name: string;
  /** The journal; null where it is off. */
  readonly journal: Journal | null;
  /** The journal's absolute path, or the identity of one that is no file; null where it is off. */
  readonly journalPath: string | null;
  /** The identities of its sinks, in order: the journal knows their rows by them. */
  readonly sinkIdentities: readonly string[];
  /** Its budget over the journal; null for none. */
  readonly budget: BudgetOption | null;
  /** True if `replay` can work: its sinks keep rows, and the journal is on. */
  readonly canReplay: boolean;
  /**
   * Takes every row from the source to its sinks. Resolves to the report, also when rows failed or the run was stopped:
   * `status`, `error` and `exitCode` say so.
   *
   * @throws {LLMEtlError} if the run aborts before the first row: an option, a setting or a target that does not fit
   */
  readonly run: (options?: RunOptions) => Promise<RunReport>;
  /**
   * Takes the rows of a dead letter file to the sink: as the source has them now, or, where it can't find rows by key, as the
   * file's last line on each has them. Rows that are written leave the file, as do those that a run has written since; the others
   * stay, with their new cause, and so do rows that the source no longer gives, which are not asked about. The file as it was is
   * kept beside it.
   *
   * @throws {LLMEtlError} if the replay aborts before the first row: as a run, or for a sink that keeps no rows, a
   * pipeline without a journal, or a file that can't be read
   */
  readonly replay: (options?: ReplayOptions) => Promise<ReplayReport>;
  /**
   * Looks at all that a run looks at before its first call, and says every problem it finds: settings, packages,
   * variables, the source and its first row, the target and its limits, the files of a run, and each step's prompt for
   * that row. Nothing is written, and no call is made without `ping`. Steps without a model run on that row.
   *
   * @throws {OptionError} for a wrong option
   */
  readonly check: (options?: CheckOptions) => Promise<CheckReport>;
  /**
   * Takes a few rows through all steps and returns them instead of writing them: the first ones, or a random sample. Their
   * answers are stored in the journal, so that a run does not pay for them again. The sink is only looked at: its column map and
   * limits apply as in a run.
   *
   * @throws {LLMEtlError} if the preview aborts before the first row: an option, a setting or a target that does not fit
   *
   * @example const { rows } = await pipeline.preview({ rows: 5 });
   */
  readonly preview: (options?: PreviewOptions) => Promise<PreviewReport<State>>;
  /**
   * Plans a run: counts what it would ask, asks a random sample of it for real, and estimates calls, tokens, cost and time of the rest, each
   * with a 95 % interval. The whole source is read, each row's first requests are rendered and looked up in the journal, and nothing is
   * written to the target. The answers of the sample are stored in the journal, so that a run does not pay for them again; they count in
   * `maxCost`. It takes the journal's lock.
   *
   * @throws {LLMEtlError} if the plan aborts before its first call, as a run would; or if it is stopped, or no call of the sample is answered
   *
   * @example const { run, cost } = await pipeline.plan({ sample: 120 });
   */
  readonly plan: (options?: PlanOptions) => Promise<PlanReport>;
  /** Describes what the target has to hold, or the first one, as far as column map and schemas tell. Connects to nothing. */
  readonly describeTarget: () => TargetDescription;
  /** The same of all targets, in the order of the sinks. */
  readonly describeTargets: () => readonly TargetDescription[];
  /**
   * Makes each row several rows of one more sink: see {@link Pipeline.each}. A row gets there once the sinks before have it.
   *
   * @example pipeline.to(invoices).each((s) => s.processed.lines, { key: (line) => line.number }).to(invoiceLines)
   */
  readonly each: <Item>(
    items: (state: State) => readonly Item[],
    options: EachOptions<Item>,
  ) => PipelineItems<State, Item>;
}

export interface EachOptions<Item> {
  /** Tells an item from the others of its row: two items with one key fail the row. `index` counts from 0. */
  readonly key: (item: Item, index: number) => string | number | bigint;
  /** The most items that a row may have: all of them are written in one transaction. A row with more fails. @default 10,000 */
  readonly maxItems?: number | undefined;
}

/** The state that the column map of a sink behind `each` sees: the row's, and the item with its place from 0. */
export type WithItem<State, Item> = State & { readonly item: Item; readonly index: number };

/** The items of a pipeline's rows, on their way to sinks. */
export interface PipelineItems<State, Item> {
  /**
   * Ends in sinks that have a row for each item.
   *
   * @throws {OptionError} for a sink that keeps rows and has no `groupKey`, and without a journal: it knows which rows to delete
   */
  readonly to: (...sinks: SinksOf<WithItem<State, Item>>) => RunnablePipeline<State>;
}

type SinksOf<State> = readonly [first: Sink<State>, ...others: Sink<State>[]];

/**
 * The type of a finished state of a pipeline, with its sink or without: the parameter of the functions of a column map.
 *
 * @example const columns = { id: (state: StateOf<typeof pipeline>) => state.pk };
 */
export type StateOf<P extends RunnablePipeline | { readonly to: (...sinks: never) => RunnablePipeline }> =
  P extends RunnablePipeline<infer State>
    ? State
    : P extends { readonly to: (...sinks: never) => RunnablePipeline<infer State> }
      ? State
      : never;

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
    requireStoreOptions(options);
    for (const deprecation of deprecationsOf(options)) warnOf(deprecation);
    if (options.admission !== undefined) checkAdmission(options.admission);
    if (options.budget !== undefined) checkBudget(options.budget, options.journal);
    this.#options = options;
  }

  /** Adds a step. The steps after it and the sink find its output in `state.processed`, under its output key. */
  step<const Key extends string, Out>(
    step: Step<GlobalState<Row, Processed>, Key extends keyof Processed ? never : Key, Out>,
  ): Pipeline<Row, Processed & { readonly [Name in Key]: Out }> {
    if (!isStep.fits(step)) throw new OptionError("Pipeline", "step", "", { expected: isStep.expected });
    for (const other of this.#steps) {
      if (other.name === step.name) {
        throw new OptionError("Pipeline", "step", `two steps are named "${step.name}"`, { step: step.name });
      }
      if (other.outputKey === step.outputKey) {
        const problem = `two steps have the output key "${step.outputKey}"`;
        throw new OptionError("Pipeline", "step", problem, { outputKey: step.outputKey });
      }
    }
    const next = new Pipeline<Row, Processed & { readonly [Name in Key]: Out }>(this.#options);
    next.#steps = [...this.#steps, step];
    return next;
  }

  /**
   * Ends in one sink or in several. A row has ended when all of them have it: each gets it once the one before has written it, and one that has
   * it already is not asked for it again.
   */
  to(...sinks: SinksOf<SinkState<Row, Processed>>): RunnablePipeline<SinkState<Row, Processed>> {
    return runnable({ options: this.#options, steps: this.#steps }, [], sinks, undefined);
  }

  /**
   * Makes each row several rows of a sink: one for each item. The row stays the unit that is counted, resumed and written; a row without an item
   * is written as none. Rows of the target that a row had before, and that it no longer has, are deleted.
   *
   * @param items gives the items of a finished row, an empty array for none
   * @throws {OptionError} for an option that is unknown or has a wrong value
   *
   * @example pipeline.each((s) => s.processed.findings.items, { key: (item) => item.code }).to(findings)
   */
  each<Item>(
    items: (state: SinkState<Row, Processed>) => readonly Item[],
    options: EachOptions<Item>,
  ): PipelineItems<SinkState<Row, Processed>, Item> {
    return itemsOf({ options: this.#options, steps: this.#steps }, [], items, options);
  }
}

type Unended = Omit<PipelineDefinition, "destinations">;

/** A pipeline that ends in these sinks, after those that it has. */
function runnable<State>(
  pipeline: Unended,
  before: readonly Destination[],
  sinks: readonly Sink<never>[],
  each: Each | undefined,
): RunnablePipeline<State> {
  if (!sinks.every(isSink.fits)) throw new OptionError("Pipeline", "to", "", { expected: isSink.expected });
  for (const sink of sinks) requireGroups(sink, each, pipeline.options.journal === "off");
  const destinations = labelled([...before, ...sinks.map((sink) => ({ sink, each }))]);
  const [first] = destinations;
  if (first === undefined) throw new OptionError("Pipeline", "to", "", { expected: "a sink", got: "none" });
  const definition: PipelineDefinition = { ...pipeline, destinations };
  const { source, steps, stores } = resolvePipeline(definition);
  const describe = ({ sink, each: ofSink }: Destination): TargetDescription =>
    describeTarget({ source, steps: steps.map(({ step }) => step), sink, each: ofSink });
  return {
    name: pipeline.options.name,
    journal: stores.journal,
    journalPath: stores.journal?.identity ?? null,
    get sinkIdentities() {
      return destinations.map(({ sink }) => sink.identity);
    },
    budget: pipeline.options.budget ?? null,
    canReplay: destinations.every(({ sink }) => sink.keepsRows) && stores.journal !== null,
    run: async (runOptions) => await runPipeline(definition, runOptions),
    replay: async (replayOptions) => await replayPipeline(definition, replayOptions),
    preview: async (previewOptions) => await previewPipeline(definition, previewOptions),
    check: async (given) => await checkPipeline(definition, given),
    plan: async (planOptions) => await planPipeline(definition, planOptions),
    describeTarget: () => describe(first),
    describeTargets: () => destinations.map(describe),
    each: (items, options) => itemsOf(pipeline, destinations, items, options),
  };
}

function itemsOf<State, Item>(
  pipeline: Unended,
  before: readonly Destination[],
  items: (state: State) => readonly Item[],
  options: EachOptions<Item>,
): PipelineItems<State, Item> {
  if (!isFunction.fits(items)) {
    throw new OptionError("Pipeline.each", "items", "", { expected: isFunction.expected });
  }
  checkOptions("Pipeline.each", options, { key: isFunction, maxItems: optional(isCount(1)) });
  const { key, maxItems = 10_000 } = options;
  return { to: (...sinks) => runnable(pipeline, before, sinks, { items, key, maxItems }) };
}

/** A sink that keeps rows has to delete those that a row no longer has: it needs to know what they share. */
function requireGroups({ name, keepsRows, groups }: Sink<never>, each: Each | undefined, isJournalOff: boolean): void {
  if (each === undefined) {
    if (groups === undefined) return;
    const hint = "end in the sink with .each(…).to(sink), or leave out groupKey";
    throw new OptionError("Pipeline", "to", `the sink ${name} has a groupKey, and gets one row for each`, { hint });
  }
  if (!keepsRows) return;
  if (groups === undefined) {
    const hint = 'give it groupKey: the mergeKeys that come from s.pk, and strategy "merge"';
    throw new OptionError("Pipeline.each", "to", `the sink ${name} does not say which rows are of one row`, { hint });
  }
  if (!isJournalOff) return;
  const problem = "rows of the target that a row no longer has are known by it";
  throw new OptionError("Pipeline", "journal", problem, { expected: "a journal", got: "off" });
}

/** Names each of several by its table, or by its kind: the second of one name with its number. */
function labelled(destinations: readonly Destination[]): readonly Destination[] {
  if (destinations.length === 1) return destinations;
  const counts = new Map<string, number>();
  return destinations.map(({ sink, each }) => {
    const name = sink.table?.name ?? sink.name;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    return { sink, each, label: count === 1 ? name : `${name} ${count}` };
  });
}

const isStep: OptionCheck = hasFunctions("a step", "run");
const isSink: OptionCheck = hasFunctions("a sink", "open");
