import { Command } from "commander";
import { addText, wholeNumber } from "../arguments.ts";
import { formatCost, formatCount, formatDuration, formatTime, shortId } from "../format.ts";
import { findRuns, type RunInJournal, toLine } from "../history.ts";
import { type Column, formatTable } from "../table.ts";
import { type CommandContext, envFileOption } from "../command.ts";

interface RunsCommandOptions {
  readonly journal?: readonly string[];
  readonly limit: number;
  readonly json?: boolean;
}

/** `llm-etl runs`: the runs that the journals know of, the newest first. */
export function runsCommand(name: string, { terminal }: CommandContext): Command {
  return new Command(name)
    .argument("[pipeline.ts...]", "modules whose pipelines to list; without one, all that ran in this folder")
    .option("--journal <file>", "list the runs in this journal (repeat for more)", addText)
    .option("--limit <runs>", "list at most so many", wholeNumber, 20)
    .option("--json", "one JSON object a line, with all that is known of a run")
    .addOption(envFileOption())
    .addHelpText("after", "\nExample:\n  llm-etl runs pipeline.ts --limit 5")
    .action(async (pipelines: readonly string[], { journal = [], limit, json = false }: RunsCommandOptions) => {
      const runs = await findRuns({ journals: journal, pipelines });
      const shown = runs.slice(0, limit);
      terminal.stdout.write(json ? shown.map(toLine).join("") : formatTable(columns, shown));
      if (shown.length < runs.length) {
        terminal.stderr.write(`${shown.length} of ${runs.length} runs; --limit ${runs.length} lists all.\n`);
      }
    });
}

const columns: readonly Column<RunInJournal>[] = [
  { name: "run", text: ({ runId }) => shortId(runId) },
  { name: "pipeline", text: ({ pipeline }) => pipeline },
  { name: "started", text: ({ startedAt }) => formatTime(startedAt) },
  { name: "took", text: ({ figures }) => formatDuration(figures.durationMs), isNumeric: true },
  { name: "status", text: ({ status }) => status },
  { name: "read", text: ({ figures }) => formatCount(figures.readCount), isNumeric: true },
  {
    name: "written",
    text: ({ figures }) => formatCount(figures.successCount - figures.unchangedCount),
    isNumeric: true,
  },
  { name: "unchanged", text: ({ figures }) => formatCount(figures.unchangedCount), isNumeric: true },
  { name: "failed (+skipped)", text: badRows, isNumeric: true },
  { name: "calls", text: ({ figures }) => formatCount(figures.usage.calls), isNumeric: true },
  { name: "cost", text: ({ figures }) => formatCost(figures.cost), isNumeric: true },
];

function badRows({ figures: { failureCount, skippedCount } }: RunInJournal): string {
  const skipped = skippedCount === 0 ? "" : ` (+${formatCount(skippedCount)})`;
  return `${formatCount(failureCount)}${skipped}`;
}
