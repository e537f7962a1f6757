import { Command } from "commander";
import type { BadRow, PastRun } from "../../contracts/journal.ts";
import type { Spent, StepFigures, StepSpending } from "../../contracts/run-detail.ts";
import { OptionError } from "../../errors/option.ts";
import { addText } from "../arguments.ts";
import {
  formatCost,
  formatCount,
  formatDuration,
  formatRunCost,
  formatSaved,
  formatTime,
  inOneLine,
  shortId,
} from "../format.ts";
import { type History, type RunInJournal, withHistory } from "../history.ts";
import { type Column, formatTable } from "../table.ts";
import { type CommandContext, envFileOption } from "../command.ts";

interface ShowCommandOptions {
  readonly journal?: readonly string[];
  readonly pipeline?: readonly string[];
  readonly json?: boolean;
}

/** `llm-etl show [run]`: all that the journal knows of one run. */
export function showCommand(name: string, { terminal }: CommandContext): Command {
  return new Command(name)
    .argument("[run]", "its id, or the first characters of it, at least 4; without it, the newest run")
    .option("--pipeline <pipeline.ts>", "a run of this module's pipeline (repeat for more)", addText)
    .option("--journal <file>", "a run in this journal (repeat for more)", addText)
    .option("--json", "one JSON object with all that is known of the run")
    .addOption(envFileOption())
    .addHelpText("after", "\nExample:\n  llm-etl show 1f0c9a52 --pipeline pipeline.ts")
    .action(async (id: string | undefined, options: ShowCommandOptions) => {
      const { journal: journals = [], pipeline: pipelines = [], json = false } = options;
      await withHistory({ journals, pipelines }, async (history) => {
        const run = await findRun(history, id);
        const failures = await history.failures(run, mostFailures);
        const later = await history.laterRun(run, (other) => goesOnFrom(other, run));
        const text = json ? `${JSON.stringify({ ...run, failures })}\n` : describe(run, failures, later);
        terminal.stdout.write(text);
      });
    });
}

/** So many failed rows are shown. */
const mostFailures = 10;
/** So many ids are shown where more than one fits. */
const mostIds = 100;

/** @throws {OptionError} if there is no such run, or more than one */
async function findRun(history: History, id: string | undefined): Promise<RunInJournal> {
  if (id !== undefined && id.length < 4)
    throw new OptionError("show", "run", "", { expected: "at least 4 characters of an id", got: id.length });
  const limit = id === undefined ? 1 : mostIds;
  const [run, ...others] = await history.runs({ idPrefix: id, limit });
  if (run === undefined) {
    if (id === undefined) throw new OptionError("show", "run", "no run has begun yet", { found: [] });
    const hint = "llm-etl runs lists them";
    throw new OptionError("show", "run", `no run's id begins with "${id}"`, { begin: id, found: [], hint });
  }
  if (others.length === 0) return run;
  const found = [run, ...others].map(({ runId }) => runId);
  const problem = `${found.length} ids begin with "${id}": ${found.join(", ")}`;
  throw new OptionError("show", "run", problem, { begin: id, found, hint: "give more characters" });
}

function describe(run: RunInJournal, failures: readonly BadRow[], later: PastRun | undefined): string {
  const before = [...origin(run), ["", ""] as const, ...counts(run), ["", ""] as const, ...model(run)];
  const steps = run.steps.length === 0 ? "" : `\n${formatTable(stepColumns, run.steps)}`;
  const spent = run.steps.flatMap(({ step, spending }) => (spending === undefined ? [] : [{ step, ...spending }]));
  const spending = spent.length === 0 ? "" : `\n${formatTable(spendingColumns, spent)}`;
  const failed = failures.length === 0 ? "" : `\n${formatTable(failureColumns, failures)}`;
  return `${inLines(before)}${steps}${spending}${failed}\n${inLines([["Resume", resume(run, later)]])}`;
}

function inLines(lines: readonly Line[]): string {
  return lines.map(([name, value]) => `${`${name.padEnd(16)}${inOneLine(value)}`.trimEnd()}\n`).join("");
}

const stepColumns: readonly Column<StepFigures>[] = [
  { name: "step", text: ({ step }) => step },
  { name: "calls", text: ({ calls }) => formatCount(calls), isNumeric: true },
  { name: "reused", text: ({ reusedAnswers }) => formatCount(reusedAnswers), isNumeric: true },
  { name: "re-asks", text: ({ reAsks }) => formatCount(reAsks), isNumeric: true },
  { name: "retries", text: ({ retries }) => formatCount(retries), isNumeric: true },
  { name: "429s", text: ({ rateLimited }) => formatCount(rateLimited), isNumeric: true },
  { name: "input", text: ({ inputTokens }) => formatCount(inputTokens), isNumeric: true },
  { name: "output", text: ({ outputTokens }) => formatCount(outputTokens), isNumeric: true },
  { name: "cost", text: ({ cost }) => formatCost(cost), isNumeric: true },
  { name: "p50", text: ({ latency }) => (latency === null ? "-" : formatDuration(latency.p50Ms)), isNumeric: true },
  { name: "p95", text: ({ latency }) => (latency === null ? "-" : formatDuration(latency.p95Ms)), isNumeric: true },
  { name: "model", text: ({ models }) => models.join(", ") },
];

/** The uses of each step's calls, with their cost. */
const spendingColumns: readonly Column<StepSpending & { readonly step: string }>[] = [
  { name: "spent by step", text: ({ step }) => step },
  { name: "first calls", text: ({ byKind }) => formatSpent(byKind.first), isNumeric: true },
  { name: "re-asks", text: ({ byKind }) => formatSpent(byKind["re-ask"]), isNumeric: true },
  { name: "longer", text: ({ byKind }) => formatSpent(byKind.longer), isNumeric: true },
  { name: "retries", text: ({ byKind }) => formatSpent(byKind.retry), isNumeric: true },
  { name: "of it on bad rows", text: ({ badRows }) => formatSpent(badRows), isNumeric: true },
  { name: "saved: earlier runs", text: (spending) => formatSpent(spending.reusedOfEarlierRuns), isNumeric: true },
  { name: "saved: this run", text: (spending) => formatSpent(spending.reusedOfThisRun), isNumeric: true },
];

/** The cost, or without prices the calls and their tokens. */
function formatSpent({ calls, inputTokens, outputTokens, cost }: Spent): string {
  if (calls === 0) return "-";
  return cost === null ? `${formatCount(calls)}: ${formatCount(inputTokens + outputTokens)} tokens` : formatCost(cost);
}

const failureColumns: readonly Column<BadRow>[] = [
  { name: "row", text: ({ position }) => formatCount(position), isNumeric: true },
  { name: "key", text: ({ pk }) => pk ?? "-" },
  { name: "step", text: ({ step }) => step ?? "-" },
  { name: "code", text: ({ errorCode }) => errorCode },
  { name: "failed with", text: ({ errorMessage }) => errorMessage },
];

type Line = readonly [name: string, value: string];

function origin({
  runId,
  pipeline,
  sink,
  sinks = [sink],
  journal,
  startedAt,
  endedAt,
  figures,
  ...run
}: RunInJournal): Line[] {
  return [
    ["Run", runId],
    ["Pipeline", `${pipeline}${kindInWords[run.kind]}`],
    [sinks.length === 1 ? "Sink" : "Sinks", sinks.join(", ")],
    ["Journal", journal],
    ["Process", `${run.processId} on ${run.host}`],
    ["Started", formatTime(startedAt)],
    ["Ended", endedAt === null ? "-" : formatTime(endedAt)],
    ["Took", formatDuration(figures.durationMs)],
    ["Status", run.exitCode === null ? run.status : `${run.status}, exit code ${run.exitCode}`],
    ...errorLines(run.error),
  ];
}

const kindInWords: Readonly<Record<RunInJournal["kind"], string>> = {
  run: "",
  replay: ", a replay of failed rows",
  preview: ", a preview: nothing was written",
  plan: ", the sample of a plan: nothing was written",
};

function errorLines(error: RunInJournal["error"]): Line[] {
  if (error === null) return [];
  return [
    ["Error", `${error.code}: ${error.message}`],
    ["", `see docs/errors.md#${error.code.toLowerCase()}`],
  ];
}

function counts({ figures }: RunInJournal): Line[] {
  const { readCount, successCount, unchangedCount, failureCount, skippedCount, pendingCount, failuresByCode } = figures;
  const byCode = Object.entries(failuresByCode).toSorted(([, one], [, other]) => other - one);
  return [
    ["Read", formatCount(readCount)],
    ["Written", formatCount(successCount - unchangedCount)],
    ["Unchanged", formatCount(unchangedCount)],
    ["Failed", formatCount(failureCount)],
    ["Skipped", formatCount(skippedCount)],
    ["Pending", formatCount(pendingCount)],
    ...passedOver(figures.emptyRowCount),
    ...byCode.map(([code, count], index): Line => [index === 0 ? "By code" : "", `${formatCount(count)} × ${code}`]),
  ];
}

function model({ figures }: RunInJournal): Line[] {
  const { usage, savedCost } = figures;
  const saved = formatSaved(usage.savedInputTokens, usage.savedOutputTokens, savedCost);
  return [
    ["Calls", `${formatCount(usage.calls)}, ${formatCount(usage.reAsks)} of them re-asks`],
    ["Input tokens", `${formatCount(usage.inputTokens)}, ${formatCount(usage.cachedTokens)} of them cached`],
    ["Output tokens", formatCount(usage.outputTokens)],
    ...estimated(usage.estimatedCalls),
    ["Cost", formatRunCost(figures)],
    ["Reused answers", usage.reusedAnswers === 0 ? "0" : `${formatCount(usage.reusedAnswers)}, saved ${saved}`],
  ];
}

function passedOver(emptyRowCount = 0): Line[] {
  return emptyRowCount === 0 ? [] : [["Empty", `${formatCount(emptyRowCount)} rows that hold nothing, passed over`]];
}

function estimated(calls = 0): Line[] {
  return calls === 0
    ? []
    : [["Estimated", `the tokens of ${formatCount(calls)} calls, which the service did not count`]];
}

/** Says in a sentence if a run can be resumed, and how. */
function resume(run: RunInJournal, later: PastRun | undefined): string {
  const { status, exitCode, processId, host, figures } = run;
  if (status === "running") return `it is still running, in process ${processId} on ${host}`;
  if (status === "refused") return "it did nothing: fix what the error names, then run the same command again";
  const isComplete = status === "completed" && figures.failureCount + figures.skippedCount === 0;
  if (isComplete) return "nothing to resume: every row that it read is done";
  if (later !== undefined) return `a later run went on: llm-etl show ${shortId(later.runId)}`;
  if (status === "completed") {
    return "run again: failed rows are tried again, the others are not paid for again";
  }
  if (exitCode === 2) return "it read nothing: fix what the error names, then run the same command again";
  return "it can be resumed: run the same command again";
}

/** True if a run began later and took the same rows to the same sink. */
function goesOnFrom(other: PastRun, run: RunInJournal): boolean {
  return (
    other.sink === run.sink && other.kind === "run" && other.startedAt > run.startedAt && other.status !== "refused"
  );
}
