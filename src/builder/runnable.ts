import type { CheckOptions } from "../check/check.ts";
import type { CheckReport } from "../check/report.ts";
import type { BatchOptions } from "../batches/options.ts";
import type { Journal } from "../contracts/journal.ts";
import type { PreviewReport, ReplayReport, RunReport } from "../contracts/report.ts";
import type { Sink } from "../contracts/sink.ts";
import type { TargetDescription } from "../contracts/target.ts";
import type { OpenBatch } from "../pipeline/batches-of.ts";
import type { BudgetOption } from "../pipeline/budget.ts";
import type { PreviewOptions, ReplayOptions, RunOptions } from "../pipeline/options.ts";
import type { PlanOptions } from "../plan/options.ts";
import type { PlanReport } from "../plan/report.ts";

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
   * The same run over the Batch API of its providers, at half the price: what the journal lacks is handed over in files, and the answers come
   * within a day. The run ends with `WAITING_FOR_BATCH` and exit code 3 as soon as everything is handed over, and the same call later goes on; with
   * `wait: true` it stays. Steps that follow each other, and re-asks, are further batches. Nothing is handed over twice, whatever
   * dies in between; a request that is in a batch is asked online by no run of that journal.
   *
   * @throws {LLMEtlError} as a run; and without a journal, or for a provider without the option `batch`
   *
   * @example const { exitCode } = await pipeline.runBatches({ wait: true });
   */
  readonly runBatches: (options?: RunOptions & BatchOptions) => Promise<RunReport>;
  /** The batches that `runBatches` has handed over and not collected, as the journal knows them: no service is asked. */
  readonly openBatches: () => Promise<readonly OpenBatch[]>;
  /**
   * Asks the services to cancel these batches, and resolves to them. Their answers so far are collected by `runBatches`. One that is `held` is given
   * up: it may be billed.
   *
   * @throws {OptionError} without a journal
   */
  readonly cancelBatches: (options?: { readonly signal?: AbortSignal | undefined }) => Promise<readonly OpenBatch[]>;
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

export type SinksOf<State> = readonly [first: Sink<State>, ...others: Sink<State>[]];
