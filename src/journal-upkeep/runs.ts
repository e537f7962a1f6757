import type { JournalReader, Page, PageRequest, PastRun } from "../contracts/journal.ts";
import type { StepFigures } from "../contracts/run-detail.ts";

/** So many things are asked for at a time. */
export const pageSize = 5_000;

/** All items of a list, page by page. */
export async function* pagesOf<Item>(
  list: (request: PageRequest) => Promise<Page<Item>>,
  limit: number = pageSize,
): AsyncGenerator<readonly Item[], void> {
  for (let from: string | undefined; ;) {
    const { items, next } = await list({ limit, from });
    yield items;
    if (next === null) return;
    from = next;
  }
}

/** A run, as far as it tells how old things are, and whose. */
export interface RunAge extends Pick<PastRun, "runId" | "pipeline" | "version" | "status" | "startedAt"> {
  /** The identities of its sinks. */
  readonly sinks: readonly string[];
  /** The last moment at which it is known to have gone on. */
  readonly lastAt: Date;
  /** The models that answered, by step. */
  readonly steps: readonly Pick<StepFigures, "step" | "models">[];
  /** True if it read all rows, as far as it knows. */
  readonly isWhole: boolean;
}

/** The runs that the journal knows, by id, the newest first. */
export async function runAges({ runs }: Pick<JournalReader, "runs">): Promise<ReadonlyMap<string, RunAge>> {
  const ages = new Map<string, RunAge>();
  for await (const page of pagesOf(runs.list, 500)) for (const run of page) ages.set(run.runId, ageOf(run));
  return ages;
}

function ageOf({ figures, endedAt, kind, options, ...run }: PastRun): RunAge {
  const steps = run.steps.map(({ step, models }) => ({ step, models }));
  const { runId, pipeline, sink, sinks = [sink], version, status, startedAt } = run;
  const lastAt = endedAt ?? new Date(startedAt.getTime() + figures.durationMs);
  const isWhole = kind === "run" && status === "completed" && options["limit"] === undefined;
  return { runId, pipeline, sinks, version, status, startedAt, lastAt, steps, isWhole };
}
