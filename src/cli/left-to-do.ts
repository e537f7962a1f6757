import type { RunCost, RunReport } from "../contracts/report.ts";

/** The rows that a run has left to do. */
export interface LeftToDo {
  readonly rowCount: number;
  /** Their cost, if they cost as much as those so far did, in this run or before; null where nothing was paid, or it is not known. */
  readonly cost: RunCost | null;
}

/** The rows that are left where a limit ended the run; undefined for another end, and where the source has not counted its rows. */
export function leftToDo(report: RunReport, totalCount: number | undefined): LeftToDo | undefined {
  if (report.error?.code !== "LIMIT_REACHED" || totalCount === undefined) return undefined;
  const { successCount, failureCount, skippedCount, pendingCount, cost, savedCost } = report;
  const doneCount = successCount + failureCount + skippedCount;
  const rowCount = Math.max(0, totalCount - doneCount);
  const askedCount = doneCount + pendingCount / 2; // of a row that was under way about half was asked
  const paid = (cost?.amount ?? 0) + (savedCost?.amount ?? 0);
  if (cost === null || paid === 0 || askedCount === 0) return { rowCount, cost: null };
  return { rowCount, cost: { ...cost, amount: (paid / askedCount) * rowCount } };
}
