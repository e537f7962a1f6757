import { Command } from "commander";
import { addText, pastTime, wholeNumber } from "../arguments.ts";
import { formatCost, formatCount, formatDuration, formatTime, shortId } from "../format.ts";
import { type RunInJournal, withHistory } from "../history.ts";
import { type Column, formatTable } from "../table.ts";
import { type CommandContext, envFileOption } from "../command.ts";

interface RunsCommandOptions {
  readonly journal?: readonly string[];
  readonly name?: string;
  readonly since?: Date;
  readonly limit: number;
  readonly json?: boolean;
}

/** `llm-etl runs`: the runs that the journals know of, the newest first. */
export function runsCommand(name: string, { terminal }: CommandContext): Command {
  return new Command(name)
    .argument("[pipeline.ts...]", "modules whose pipelines to list; without one, all that ran in this folder")
    .option("--journal <file>", "list the runs in this journal (repeat for more)", addText)
    .option("--name <pipeline>", "list runs of the pipeline with this name only")
    .option("--since <time>", "list runs from this local time on: 2026-01-31 or 2026-01-31T18:00", pastTime)
    .option("--limit <runs>", "list at most so many", wholeNumber, 20)
    .option("--json", "one JSON object a line, with all that is known of a run")
    .addOption(envFileOption())
    .addHelpText("after", "\nExample:\n  llm-etl runs pipeline.ts --limit 5")
    .action(async (pipelines: readonly string[], options: RunsCommandOptions) => {
      const { journal: journals = [], name: pipeline, since, limit, json = false } = options;
      await withHistory({ journals, pipelines }, async (history) => {
        const shown = await history.runs({ pipeline, since, limit });
        terminal.stdout.write(
          json ? shown.map((run) => `${JSON.stringify(run)}\n`).join("") : formatTable(columns, shown),
        );
        const count = shown.length < limit ? shown.length : await history.runCount({ pipeline, since });
        if (shown.length < count) {
          terminal.stderr.write(`${shown.length} of ${count} runs; --limit ${count} lists all.\n`);
        }
      });
    });
}

const columns: readonly Column<RunInJournal>[] = [
  { name: "run", text: ({ runId }) => shortId(runId) },
  { name: "pipeline", text: ({ pipeline, kind }) => (kind === "run" ? pipeline : `${pipeline} (${kind})`) },
  { name: "started", text: ({ startedAt }) => formatTime(startedAt) },
  { name: "took", text: ({ figures }) => formatDuration(figures.durationMs), isNumeric: true },
  { name: "status", text: ({ status }) => status },
  { name: "read", text: ({ figures }) => formatCount(figures.readCount), isNumeric: true },
  {
    name: "written",
    text: ({ kind, figures }) =>
      writesNothing(kind) ? "-" : formatCount(figures.successCount - figures.unchangedCount),
    isNumeric: true,
  },
  { name: "unchanged", text: ({ figures }) => formatCount(figures.unchangedCount), isNumeric: true },
  { name: "failed (+skipped)", text: badRows, isNumeric: true },
  { name: "calls", text: ({ figures }) => formatCount(figures.usage.calls), isNumeric: true },
  { name: "cost", text: ({ figures }) => formatCost(figures.cost), isNumeric: true },
];

/** True for what takes rows through the steps only. */
function writesNothing(kind: RunInJournal["kind"]): boolean {
  return kind === "plan" || kind === "preview";
}

function badRows({ figures: { failureCount, skippedCount } }: RunInJournal): string {
  const skipped = skippedCount === 0 ? "" : ` (+${formatCount(skippedCount)})`;
  return `${formatCount(failureCount)}${skipped}`;
}
