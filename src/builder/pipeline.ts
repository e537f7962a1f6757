import { resolvePipeline } from "../pipeline/resolve.ts";
import { checkAdmission } from "../llm/limits/options.ts";
import type { Destination, Each, Sink } from "../contracts/sink.ts";
import type { Step } from "../contracts/step.ts";
import { checkPipeline } from "../check/check.ts";
import { warnOf } from "../errors/deprecation.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions, hasFunctions, isCount, isFunction, type OptionCheck, optional } from "../errors/options.ts";
import { checkBudget } from "../pipeline/budget.ts";
import type { PipelineDefinition } from "../pipeline/definition.ts";
import { pipelineChecks, type PipelineOptions } from "../pipeline/options.ts";
import { planPipeline } from "../plan/plan.ts";
import { replayPipeline } from "../pipeline/replay.ts";
import { previewPipeline } from "../pipeline/preview.ts";
import { runPipeline } from "../pipeline/run-pipeline.ts";
import { deprecationsOf, requireStoreOptions } from "../pipeline/run-files.ts";
import { cancelBatches, openBatches } from "../pipeline/batches-of.ts";
import { runBatches } from "../pipeline/run-batches.ts";
import type { GlobalState, SinkState } from "../engine/state.ts";
import type { TargetDescription } from "../contracts/target.ts";
import { describeTarget } from "../table/description.ts";
import type { EachOptions, PipelineItems, RunnablePipeline, SinksOf } from "./runnable.ts";

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
    openBatches: async () => await openBatches(definition),
    cancelBatches: async ({ signal = new AbortController().signal } = {}) => await cancelBatches(definition, signal),
    runBatches: async (runOptions) => await runBatches(definition, runOptions),
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
