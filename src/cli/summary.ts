import type { RunReport } from "../contracts/report.ts";
import type { RowsAside } from "../contracts/sink.ts";
import type { Failure } from "./first-failures.ts";
import type { Watched } from "./watch.ts";
import {
  formatAmount,
  formatCost,
  formatCount,
  formatDuration,
  formatRunCost,
  formatSaved,
  formatThings,
  inOneLine,
  shortId,
} from "./format.ts";
import { fromHere } from "../files/paths.ts";
import type { RestOfRun } from "../pipeline/rest-of-run.ts";
import { timeoutsOf, unansweredOf } from "./progress/lines.ts";
import { describeError } from "./terminal.ts";

/** Codes beyond this number are shown without their first row. */
const mostCodesShown = 8;

/**
 * Summarizes a run in lines. They name rows by number, key and step, and hold no content.
 *
 * @param canReplay true if the pipeline's dead letters can be replayed
 */
export function summaryOf(
  { report, failures, deadLetterPath, rest }: Watched,
  canReplay: boolean = false,
): readonly string[] {
  const { runId, status, durationMs, failureCount } = report;
  const isSaved = deadLetterPath !== null && failureCount > 0;
  const again = `fix the cause and run again${canReplay ? ", or only these rows with llm-etl replay" : ""}`;
  const saved = isSaved ? [line("kept in", `${fromHere(deadLetterPath)}, ${again}`)] : [];
  return [
    `${status} in ${formatDuration(durationMs)}, run ${shortId(runId)}`,
    line("rows", rowsOf(report)),
    ...changesOf(report),
    ...failuresOf(report, failures),
    ...saved,
    ...notAppliedOf(report),
    ...invalidValuesOf(report),
    ...asideOf(report),
    ...callLinesOf(report),
    ...leftOf(report, rest),
  ].map(inOneLine);
}

/** Summarizes the calls of a run in lines: their number, tokens and cost, and the answers that were reused. */
export function callLinesOf(report: RunReport): readonly string[] {
  return [
    line("calls", callsOf(report)),
    ...timeoutsOf(report.usage).map((text) => line("", text)),
    line("tokens", tokensOf(report)),
    ...(report.cost === null && report.unlistedModels === undefined ? [] : [line("cost", formatRunCost(report))]),
    ...reusedOf(report),
  ];
}

/** Describes the error that ended a run, with the row; no lines for a run that completed. */
export function endingOf({ report: { error, status }, failures }: Watched, withStack: boolean): readonly string[] {
  if (error === null) return [];
  const failure = error.scope === "row" ? failures.get(error.code) : undefined;
  const place = failure === undefined ? "" : ` at ${placeOf(failure)}`;
  return [`${status}${inOneLine(place)}: ${describeError(error, withStack)}`];
}

const indent = " ".repeat(10);

function line(name: string, text: string): string {
  return `  ${name.padEnd(8)}${text}`;
}

function rowsOf(report: RunReport): string {
  const { readCount, successCount, unchangedCount, failureCount, skippedCount, pendingCount } = report;
  const { emptyRowCount = 0, writtenRowCount } = report;
  const empty = emptyRowCount === 0 ? "" : `; ${formatThings(emptyRowCount, "empty row")} passed over`;
  const counts: readonly (readonly [count: number, name: string])[] = [
    [unchangedCount, "unchanged"],
    [failureCount, "failed"],
    [skippedCount, "skipped"],
    [pendingCount, "pending"],
  ];
  const others = counts.filter(([count]) => count > 0).map(([count, name]) => `${formatCount(count)} ${name}`);
  const read = [`${formatCount(readCount)} read`, `${formatCount(successCount - unchangedCount)} written`, ...others];
  const inTargets = writtenRowCount === undefined ? "" : `; ${formatThings(writtenRowCount, "row")} written to targets`;
  return `${read.join(", ")}${inTargets}${empty}`;
}

function failuresOf(report: RunReport, failures: ReadonlyMap<string, Failure>): readonly string[] {
  const codes = Object.entries(report.failuresByCode).toSorted(([, one], [, other]) => other - one);
  const name = report.failureCount > 0 ? "failed" : "skipped";
  return codes.flatMap(([code, count], index) => {
    const head = line(index === 0 ? name : "", `${formatCount(count)} × ${code}`);
    const failure = failures.get(code);
    if (failure === undefined || index >= mostCodesShown) return [head];
    return [`${head}, first ${placeOf(failure)}:`, `${indent}  ${failure.message}`];
  });
}

/** The rows that were read, of a run whose source can tell which rows changed. */
function changesOf({ changes, readCount, status }: RunReport): readonly string[] {
  if (changes === undefined || (readCount === 0 && status !== "completed")) return []; // it was to be read, and was not
  const { by, rows, since, dueCount, reasons } = changes;
  if (rows === "all") return [line("changes", `everything was read: ${reasons.join(", ")}`)];
  const after = since === null ? "since the last run" : `since ${since}`;
  const due = dueCount === 0 ? "" : `, and ${formatThings(dueCount, "row")} that failed before`;
  return [line("changes", `only what changed ${after} was read (${by})${due}`)];
}

/** Steps that did not apply to all rows. */
function notAppliedOf({ notApplied = {} }: RunReport): readonly string[] {
  return Object.entries(notApplied).map(([step, count]) =>
    line("steps", `${step} did not apply to ${formatThings(count, "row")}`),
  );
}

/** Values that are NULL because what the model gave is invalid. */
function invalidValuesOf({ invalidValues = {} }: RunReport): readonly string[] {
  return Object.entries(invalidValues).map(([field, count]) =>
    line("null", `${formatCount(count)} × ${field}, for what the model gave is invalid`),
  );
}

/** The files with the rows of a run that did not replace their targets. */
function asideOf({ rowsAside, otherRowsAside = [] }: RunReport): readonly string[] {
  return rowsAside === undefined ? [] : [rowsAside, ...otherRowsAside].map(asideLine);
}

function asideLine(rowsAside: RowsAside): string {
  const path = fromHere(rowsAside.path);
  const earlier = "the file of an earlier run is kept (--replace replaces it)";
  switch (rowsAside.reason) {
    case "limit":
      return line("rows in", `${path}: with --limit ${earlier}`);
    case "no-row-succeeded":
      return line("rows in", `${path}: no row succeeded, and ${earlier}`);
    case "stopped":
    default:
      return line("rows in", `${path}, until the next run: the target is as it was before`);
  }
}

/** The rows that a run which reached its limit has left, and their cost. */
function leftOf({ error, cost: paid }: RunReport, rest: RestOfRun | undefined): readonly string[] {
  if (error?.code !== "LIMIT_REACHED" || rest === undefined) return [];
  const { rows, cost } = rest;
  const isKnown = paid !== null && cost !== undefined && cost.estimate > 0;
  const forMoney = isKnown
    ? `, about ${formatCost({ ...paid, amount: cost.estimate })} (${formatAmount(cost.low)} to ${formatAmount(cost.high)})`
    : "";
  return [line("left", `${formatThings(rows, "row")}${forMoney}`)];
}

/** Names a row by its number, its key and the step or the sink at which it failed. */
function placeOf({ position, pk, step, sink }: Omit<Failure, "message">): string {
  const at = step === null ? (sink === undefined ? "" : ` at ${sink}`) : ` at step ${step}`;
  return `row ${formatCount(position)}${pk === null ? "" : ` (${pk})`}${at}`;
}

function callsOf({ usage }: RunReport): string {
  const reAsks = usage.reAsks === 0 ? [] : [`${formatCount(usage.reAsks)} of them re-asks`];
  return [formatCount(usage.calls), ...reAsks, ...unansweredOf(usage)].join(", ");
}

function tokensOf({ usage: { inputTokens, cachedTokens, outputTokens, estimatedCalls = 0 } }: RunReport): string {
  const cached = cachedTokens === 0 ? "" : ` (${formatCount(cachedTokens)} cached)`;
  const estimated = estimatedCalls === 0 ? "" : `; estimated for ${formatThings(estimatedCalls, "call")}`;
  return `${formatCount(inputTokens)} input${cached}, ${formatCount(outputTokens)} output${estimated}`;
}

function reusedOf({ usage, savedCost }: RunReport): readonly string[] {
  if (usage.reusedAnswers === 0) return [];
  const saved = formatSaved(usage.savedInputTokens, usage.savedOutputTokens, savedCost);
  return [line("reused", `${formatThings(usage.reusedAnswers, "answer")}, saved ${saved}`)];
}
