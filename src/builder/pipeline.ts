import { resolvePipeline } from "../pipeline/resolve.ts";
import { checkAdmission } from "../llm/limits/options.ts";
import type { Sink } from "../contracts/sink.ts";
import type { Step } from "../contracts/step.ts";
import { type CheckOptions, checkPipeline } from "../check/check.ts";
import type { CheckReport } from "../check/report.ts";
import type { Journal } from "../contracts/journal.ts";
import { warnOf } from "../errors/deprecation.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions, hasFunctions, type OptionCheck } from "../errors/options.ts";
import {
  pipelineChecks,
  type PipelineOptions,
  type PreviewOptions,
  type ReplayOptions,
  type RunOptions,
} from "../pipeline/options.ts";
import type { PreviewReport, ReplayReport, RunReport } from "../contracts/report.ts";
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
  /** The sink's identity: the journal knows its rows by it. */
  readonly sinkIdentity: string;
  /** True if `replay` can work: the sink keeps rows, and the journal is on. */
  readonly canReplay: boolean;
  /**
   * Takes every row from the source to the sink. Resolves to the report, also when rows failed or the run was stopped:
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
  /** Describes what the target has to hold, as far as column map and schemas tell. Connects to nothing. */
  readonly describeTarget: () => TargetDescription;
}

/**
 * The type of a finished state of a pipeline, with its sink or without: the parameter of the functions of a column map.
 *
 * @example const columns = { id: (state: StateOf<typeof pipeline>) => state.pk };
 */
export type StateOf<P extends RunnablePipeline | { readonly to: (sink: never) => RunnablePipeline }> =
  P extends RunnablePipeline<infer State>
    ? State
    : P extends { readonly to: (sink: never) => RunnablePipeline<infer State> }
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

  /** Ends in a sink. */
  to(sink: Sink<SinkState<Row, Processed>>): RunnablePipeline<SinkState<Row, Processed>> {
    if (!isSink.fits(sink)) throw new OptionError("Pipeline", "to", "", { expected: isSink.expected });
    const options = this.#options;
    const definition = { options, steps: this.#steps, sink };
    const { source, steps, stores } = resolvePipeline(definition);
    return {
      name: options.name,
      journal: stores.journal,
      journalPath: stores.journal?.identity ?? null,
      get sinkIdentity() {
        return sink.identity;
      },
      canReplay: sink.keepsRows && stores.journal !== null,
      run: async (runOptions) => await runPipeline(definition, runOptions),
      replay: async (replayOptions) => await replayPipeline(definition, replayOptions),
      preview: async (previewOptions) => await previewPipeline(definition, previewOptions),
      check: async (given) => await checkPipeline(definition, given),
      describeTarget: () => describeTarget({ source, steps: steps.map(({ step }) => step), sink }),
    };
  }
}

const isStep: OptionCheck = hasFunctions("a step", "run");
const isSink: OptionCheck = hasFunctions("a sink", "open");
