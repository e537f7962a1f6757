import type { RunCost, RunReport } from "../contracts/report.ts";

/** The rows that a run has left to do. */
export interface LeftToDo {
  readonly rowCount: number;
  /** Their cost, if they cost as much as the rows that were paid so far; null where nothing was paid, or it is not known. */
  readonly cost: RunCost | null;
}

/** The rows that are left where a limit ended the run; undefined for another end, and where the source has not counted its rows. */
export function leftToDo(report: RunReport, totalCount: number | undefined): LeftToDo | undefined {
  if (report.error?.code !== "LIMIT_REACHED" || totalCount === undefined) return undefined;
  const { successCount, failureCount, skippedCount, pendingCount, usage, cost } = report;
  const doneCount = successCount + failureCount + skippedCount;
  const rowCount = Math.max(0, totalCount - doneCount);
  // Of a row that was under way about half was asked, and answers that the journal had cost nothing.
  const paidShare = usage.calls / Math.max(1, usage.calls + usage.reusedAnswers);
  const paidCount = (doneCount + pendingCount / 2) * paidShare;
  if (cost === null || paidCount === 0) return { rowCount, cost: null };
  return { rowCount, cost: { ...cost, amount: (cost.amount / paidCount) * rowCount } };
}
