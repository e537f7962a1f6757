import {
  formatAmount,
  formatCodes,
  formatCost,
  formatCount,
  formatDuration,
  formatRate,
  formatThings,
  formatTime,
  inOneLine,
} from "../format.ts";
import type { RunUsage } from "../../contracts/report.ts";
import type { Output } from "../terminal.ts";
import type { Progress } from "./base.ts";
import { type ProjectedCost, RunProgress, type Snapshot } from "./run-progress.ts";

const everyMs = 10_000;

/** Makes the progress for files, pipes and CI: a line every ten seconds. */
export function linesProgress(stderr: Output): Progress {
  const progress = new RunProgress();
  const say = (line: string): void => void stderr.write(`${inOneLine(line)}\n`);
  const timer = setInterval(() => say(`${formatTime(new Date())}  ${describe(progress.snapshot())}`), everyMs).unref();
  return {
    observe: (event) => progress.add(event),
    say,
    end: () => clearInterval(timer),
  };
}

/** Describes the progress of a run in one line. */
export function describe(snapshot: Snapshot): string {
  const { figures, callsInFlight, callLimit, waitsFor } = snapshot;
  const { usage, failureCount, skippedCount, failuresByCode } = figures;
  const badCount = failureCount + skippedCount;
  return [
    rowsOf(snapshot).join(", "),
    `${formatCount(usage.calls)} calls, ${callsInFlight} of ${callLimit} in flight, ${formatThings(usage.reAsks, "re-ask")}`,
    [
      `${formatCount(usage.inputTokens)} + ${formatCount(usage.outputTokens)} tokens`,
      ...unansweredOf(usage),
      ...costOf(snapshot),
    ].join(", "),
    ...timeoutsOf(usage),
    ...(badCount === 0 ? [] : [`${formatCount(badCount)} failed (${formatCodes(failuresByCode)})`]),
    ...(waitsFor === undefined ? [] : [`waits: ${waitsFor}`]),
  ].join("; ");
}

/** The rows done, their rate and the time left, as far as they are known. */
export function rowsOf({ doneCount, totalCount, rowsPerSecond, remainingMs }: Snapshot): readonly string[] {
  return [
    totalCount === undefined
      ? `${formatCount(doneCount)} rows`
      : `${formatCount(doneCount)} of ${formatCount(totalCount)} rows (${percentOf(doneCount, totalCount)} %)`,
    rateOf(rowsPerSecond),
    ...(remainingMs === undefined ? [] : [`${formatDuration(Math.ceil(remainingMs / 1000) * 1000)} left`]),
  ];
}

/** Slower than so many rows a second, rows are counted by the minute. */
const slowRowsPerSecond = 0.5;

function rateOf(rowsPerSecond: number): string {
  if (rowsPerSecond === 0 || rowsPerSecond >= slowRowsPerSecond) return `${formatRate(rowsPerSecond)} rows/s`;
  return `${formatRate(60 * rowsPerSecond)} rows/min`;
}

/** The calls that brought no answer; empty where all did. */
export function unansweredOf({ unansweredCalls = 0 }: RunUsage): readonly string[] {
  return unansweredCalls === 0 ? [] : [`${formatThings(unansweredCalls, "call")} without an answer`];
}

/** The calls that had no answer in time, with the remedy; empty where there are none. */
export function timeoutsOf({ timedOutCalls = 0 }: RunUsage): readonly string[] {
  return timedOutCalls === 0
    ? []
    : [`${formatThings(timedOutCalls, "call")} timed out: lower concurrency or raise timeoutMs`];
}

/** The cost so far and that of the whole run; empty without prices. */
export function costOf({ figures, projectedCost }: Snapshot): readonly string[] {
  if (figures.cost === null) return [];
  const inAll = projectedCost === undefined ? "" : `, ${inAllOf(projectedCost)}`;
  const listed = figures.priceSource === undefined ? "" : " at list prices";
  return [`${formatCost(figures.cost)} so far${listed}${inAll}`];
}

/** An interval that is narrow enough says no more than its middle. */
const shownWidth = 0.02;

function inAllOf({ currency, amount, low, high }: ProjectedCost): string {
  const about = `about ${formatCost({ amount, currency })} in all`;
  if (high - low <= shownWidth * amount) return about;
  return `${about} (${formatAmount(low)} to ${formatAmount(high)})`;
}

/** Rounds down: 100 % means that all rows are done. */
function percentOf(count: number, total: number): number {
  return total === 0 ? 100 : Math.min(100, Math.floor((100 * count) / total));
}
