import type { EarlierRun } from "../contracts/events.ts";
import type { Journal, PastRun, RunFacts } from "../contracts/journal.ts";

/** So many runs back an earlier one is looked for. */
const runsLooked = 20;

/** A run that asked about fewer rows does not tell what a row costs. */
const enoughRows = 20;

/** The last run of the pipeline to the same sink before this one, as far as it tells what this one has to do. */
export async function earlierRun(
  journal: Journal,
  { runId, pipeline, sink, knowsRows }: Pick<RunFacts, "runId" | "pipeline" | "sink"> & { readonly knowsRows: boolean },
): Promise<EarlierRun | undefined> {
  const reader = await journal.reader();
  if (reader === undefined) return undefined;
  try {
    const { items } = await reader.runs.list({ pipeline, limit: runsLooked });
    const runs = items.filter((run) => {
      return run.kind === "run" && run.runId !== runId && run.sink === sink && run.figures.readCount > 0;
    });
    const [last] = runs;
    if (last === undefined) return undefined;
    const paying = runs.find((run) => askedRows(run) >= enoughRows);
    const rows = paying === undefined ? 0 : askedRows(paying);
    const cost = paying?.figures.cost ?? null;
    return {
      doneRows: last.figures.successCount,
      writtenRows: Math.max(...runs.map(({ figures }) => figures.successCount)),
      failedRows: last.figures.failureCount + last.figures.skippedCount,
      knowsRows,
      costPerRow: cost === null || rows === 0 ? null : cost.amount / rows,
      rowMs: paying === undefined || rows === 0 ? null : paying.figures.durationMs / rows,
    };
  } finally {
    await reader.close();
  }
}

/** The rows of a run for which a model was asked, about: those that it wrote, and those that failed. */
function askedRows({ figures }: PastRun): number {
  const { successCount, unchangedCount, failureCount, usage } = figures;
  return Math.min(successCount - unchangedCount + failureCount, usage.calls);
}
