import { Command } from "commander";
import { type AnswersInfo, type JournalInfo, journalInfo, type SinkInfo } from "../../journal-upkeep/info.ts";
import { withLook } from "../../journal-upkeep/look.ts";
import { type CommandContext, envFileOption, moduleOr } from "../command.ts";
import { formatBytes, formatCost, formatCount, formatTime } from "../format.ts";
import type { DaySpending } from "../../journal-upkeep/spending.ts";
import { importWithJournal } from "./journal-of.ts";
import { type Column, formatTable } from "../table.ts";

/** `llm-etl journal info [pipeline.ts]`: tells what the journal of a pipeline holds. */
export function infoCommand(name: string, { terminal, unhandled }: CommandContext): Command {
  return new Command(name)
    .summary("show its size, runs, answers by age, rows, due rows")
    .description("show what the journal of a pipeline holds, also of other pipelines that share it")
    .argument("[pipeline.ts]")
    .option("--json", "one JSON object with all of it")
    .addOption(envFileOption())
    .addHelpText("after", "\nExample:\n  llm-etl journal info pipeline.ts")
    .action(async (path: string | undefined, { json = false }: { readonly json?: boolean }) => {
      const { journal, pipeline } = await unhandled.orFirst(async () => await importWithJournal(moduleOr(path)));
      const info = await withLook(journal, async (look) => await journalInfo(look, pipeline.budget?.timeZone));
      const named = { journal: journal.identity, kind: journal.name, ...info };
      terminal.stdout.write(json ? `${JSON.stringify(named)}\n` : describe(named));
    });
}

function describe(info: JournalInfo & { readonly journal: string; readonly kind: string }): string {
  const { runs, answers, sinks, spending, timeZone, dueRows, submittedWork } = info;
  const due = Object.entries(dueRows).map(([pipeline, count]) => `${formatCount(count)} of ${pipeline}`);
  const span =
    runs.first === null || runs.last === null ? "" : `, ${formatTime(runs.first)} to ${formatTime(runs.last)}`;
  const work = Object.entries(submittedWork).map(([state, count]) => `${formatCount(count)} ${state}`);
  const lines = [
    ["journal", `${info.journal} (${info.kind})`],
    ["size", info.size === null ? "not known for this kind" : formatBytes(info.size)],
    ["runs", `${formatCount(runs.count)}${span}`],
    ...(info.holder === null ? [] : [["in use by", info.holder]]),
    ["answers", formatCount(answers.reduce((sum, { count }) => sum + count, 0))],
    ["rows", formatCount(sinks.reduce((sum, each) => sum + each.writtenCount + each.failedCount + each.otherCount, 0))],
    ["due rows", due.length === 0 ? "0" : due.join(", ")],
    ["watermarks", formatCount(info.watermarkCount)],
    ["decisions of people", formatCount(info.decisionCount)],
    ["submitted work", work.length === 0 ? "0" : work.join(", ")],
    ["evaluations", formatCount(info.evaluationCount)],
  ].map(([label = "", text = ""]) => `${label.padEnd(20)} ${text}\n`);
  const tables = [
    ...(answers.length === 0 ? [] : [`\n${formatTable(answerColumns, answers)}`]),
    ...(spending.length === 0 ? [] : [`\n${formatTable(spendingColumns(timeZone), spending)}`]),
    ...(sinks.length === 0 ? [] : [`\n${formatTable(sinkColumns, sinks)}`]),
  ];
  return [...lines, ...tables].join("");
}

const ageNames = ["up to 7 days", "up to 30 days", "up to 90 days", "older"] as const;

const answerColumns: readonly Column<AnswersInfo>[] = [
  { name: "answers of", text: ({ steps }) => (steps.length === 0 ? "-" : steps.join(" or ")) },
  { name: "model", text: ({ model }) => model },
  ...ageNames.map((age, index) => ({
    name: age,
    text: ({ countByAge }: AnswersInfo) => formatCount(countByAge[index] ?? 0),
    isNumeric: true,
  })),
];

function spendingColumns(timeZone: string): readonly Column<DaySpending>[] {
  return [
    { name: `spent on (${timeZone})`, text: ({ date }) => date },
    { name: "settled", text: ({ settled, currency }) => formatCost({ amount: settled, currency }), isNumeric: true },
    { name: "reserved", text: ({ reserved, currency }) => formatCost({ amount: reserved, currency }), isNumeric: true },
  ];
}

const sinkColumns: readonly Column<SinkInfo>[] = [
  { name: "rows of sink", text: ({ sink, sinkKey }) => sink ?? `${sinkKey} (no run of it is known)` },
  { name: "written", text: ({ writtenCount }) => formatCount(writtenCount), isNumeric: true },
  { name: "failed", text: ({ failedCount }) => formatCount(failedCount), isNumeric: true },
  { name: "forgotten", text: ({ otherCount }) => formatCount(otherCount), isNumeric: true },
];
