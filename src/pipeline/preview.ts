import type { DeadLetterSession } from "../contracts/dead-letter.ts";
import type { PreviewedRow, PreviewedTarget, PreviewReport } from "../contracts/report.ts";
import type { RunEvent } from "../contracts/events.ts";
import type { Destination, Sink } from "../contracts/sink.ts";
import type { AnyState } from "../engine/state.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions } from "../errors/options.ts";
import type { PipelineDefinition } from "./definition.ts";
import { lookOnlySink } from "./look-only.ts";
import { previewChecks, type PreviewOptions } from "./options.ts";
import { resolvePipeline } from "./resolve.ts";
import { startRun } from "./run.ts";
import { sampleOf } from "./sample.ts";

/** Takes a few rows through all steps, and shows them instead of writing them: see `RunnablePipeline.preview`. */
export async function previewPipeline<State>(
  definition: PipelineDefinition,
  options: PreviewOptions = {},
): Promise<PreviewReport<State>> {
  checkOptions("preview", options, previewChecks);
  if (options.seed !== undefined && options.sample !== true) {
    throw new OptionError("preview", "seed", "is only used with sample: true", { expected: "sample: true" });
  }
  const { rows: rowCount = 5, sample = false, seed = 0, ...runOptions } = options;
  const pipeline = resolvePipeline(definition, { ...runOptions, onRowError: "dead_letter", limit: rowCount });
  const source = sample ? sampleOf(pipeline.source, rowCount, seed) : pipeline.source;
  const rows = new PreviewedRows();
  const settings = { ...pipeline.settings, maxRowErrors: Infinity };
  const report = await startRun(
    {
      ...pipeline,
      settings,
      source,
      destinations: rows.insteadOf(pipeline.destinations),
      stores: { ...pipeline.stores, deadLetter: null },
    },
    {
      ...runOptions,
      kind: "preview",
      deadLetter: rows.failed,
      onEvent: (event) => {
        rows.observe(event);
        return runOptions.onEvent?.(event);
      },
    },
  );
  // The builder's types have matched the states to the sink, whose states these are.
  return { ...report, rows: rows.inOrder() as readonly PreviewedRow<State>[] };
}

interface FinishedRow {
  state?: AnyState;
  readonly targets: PreviewedTarget[];
}

/** Gathers the rows of a preview: finished ones where the sink would write them, failed ones as dead letters. */
class PreviewedRows {
  readonly #finished = new Map<string, FinishedRow>();
  readonly #rows: PreviewedRow<unknown>[] = [];

  /** Takes the rows that failed. */
  readonly failed: DeadLetterSession = {
    add: async ({ position, pk, step, error }) => {
      this.#rows.push({ position, pk, state: null, values: null, failure: { step, error } });
    },
    close: async () => {},
  };

  /** The rows in the order in which the source gave them. */
  inOrder(): readonly PreviewedRow<unknown>[] {
    return this.#rows.toSorted((one, other) => one.position - other.position);
  }

  /** An event says at which position the row was that the sinks have been given. */
  observe(event: RunEvent): void {
    if (event.type !== "row-end" || event.outcome !== "written" || event.pk === null) return;
    const { pk, position } = event;
    const { state, targets = [] } = this.#finished.get(pk) ?? {};
    const [first, ...others] = targets;
    const isOneRow = first?.rows.length === 1 && others.length === 0;
    const values = first?.rows[0] ?? {};
    this.#rows.push({ position, pk, state, values, ...(!isOneRow && { targets }), failure: null });
  }

  /** For each destination a sink with its columns and its limits, which writes nothing there; and one that takes the states. */
  insteadOf(destinations: readonly Destination[]): readonly Destination[] {
    const states = {
      name: "preview",
      identity: "preview",
      keepsRows: false,
      columnMap: { state: (state: never) => state },
    };
    const open: Sink<never>["open"] = async () => ({
      write: async (groups) => {
        for (const { pk, rows } of groups) this.#finishedRow(pk).state = rows[0]?.["state"] as AnyState; // by the column map above
      },
      close: async () => {},
    });
    const inPlace = destinations.map((each) => {
      const { identity } = each.sink;
      const sink = lookOnlySink(each.sink, `${identity} (preview)`, (groups) => {
        for (const { pk, rows } of groups) this.#finishedRow(pk).targets.push({ sink: identity, rows });
      });
      return { ...each, sink };
    });
    return [...inPlace, { sink: { ...states, open } }];
  }

  #finishedRow(pk: string): FinishedRow {
    const row = this.#finished.get(pk) ?? { targets: [] };
    this.#finished.set(pk, row);
    return row;
  }
}
