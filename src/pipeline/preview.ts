import type { DeadLetterSession } from "../contracts/dead-letter.ts";
import type { PreviewedRow, PreviewReport } from "../contracts/report.ts";
import type { RunEvent } from "../contracts/events.ts";
import type { ColumnValues, Sink } from "../contracts/sink.ts";
import type { AnyState } from "../engine/state.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions } from "../errors/options.ts";
import type { PipelineDefinition } from "./definition.ts";
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
      sink: rows.insteadOf(pipeline.sink),
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
  readonly state: AnyState;
  readonly values: ColumnValues;
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

  /** An event says at which position the row was that the sink has been given. */
  observe(event: RunEvent): void {
    if (event.type !== "row-end" || event.outcome !== "written" || event.pk === null) return;
    const { pk, position } = event;
    const finished = this.#finished.get(pk);
    if (finished !== undefined) this.#rows.push({ position, pk, ...finished, failure: null });
  }

  /** A sink with the columns and the limits of `sink` that writes nothing there, and remembers nothing from run to run. */
  insteadOf(sink: Sink<never>): Sink<never> {
    const stateColumn = nameBeside(Object.keys(sink.columnMap));
    return {
      name: sink.name,
      identity: `${sink.identity} (preview)`,
      keepsRows: false,
      files: (run) => sink.files?.(run) ?? [],
      databaseFiles: sink.databaseFiles,
      columnMap: { ...sink.columnMap, [stateColumn]: (state: never) => state },
      open: async (context) => {
        const look = await (sink.preflight === undefined ? sink.open(context) : sink.preflight(context));
        return {
          ...(look.limits !== undefined && { limits: look.limits }),
          check: (values) => look.check?.(apart(values, stateColumn).values) ?? [],
          write: async (groups) => {
            for (const { pk, rows } of groups) for (const row of rows) this.#finished.set(pk, apart(row, stateColumn));
          },
          close: async () => await look.close("stopped"),
        };
      },
    };
  }
}

/** Parts the finished state from the columns of the sink. */
function apart(row: ColumnValues, stateColumn: string): FinishedRow {
  const { [stateColumn]: state, ...values } = row;
  return { state: state as AnyState, values }; // the column map of the preview's sink has put it there
}

/** A name that none of these columns has. */
function nameBeside(columns: readonly string[]): string {
  let name = "state";
  while (columns.includes(name)) name += "_";
  return name;
}
