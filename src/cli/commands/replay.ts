import { Command } from "commander";
import type { ReplayReport } from "../../core/report.ts";
import { addText, wholeNumber } from "../arguments.ts";
import { importPipeline, importProvider } from "../import-module.ts";
import { stopSignals } from "../signals.ts";
import { describeError, type Terminal } from "../terminal.ts";

interface ReplayCommandOptions {
  readonly pipeline: string;
  readonly code?: readonly string[];
  readonly provider?: string;
  readonly concurrency?: number;
}

/** `llm-etl replay <file>`: takes the rows of a dead letter file through their pipeline once more. */
export function replayCommand(terminal: Terminal, setExitCode: (code: number) => void): Command {
  return new Command("replay")
    .description(
      "take the rows of a dead letter file through their pipeline once more; those that succeed leave the file",
    )
    .argument("<file>", "the dead letter file")
    .requiredOption("--pipeline <pipeline.ts>", "the module that exports the pipeline as its default")
    .option("--code <code>", "only rows that failed with this error code (repeat for more)", addText)
    .option("--provider <provider.ts>", "ask the provider that this module exports as its default, in every step")
    .option("--concurrency <rows>", "have so many rows in flight at once", wholeNumber)
    .addHelpText(
      "after",
      "\nExample:\n  llm-etl replay output/failed_rows.jsonl --pipeline pipeline.ts --code CONTENT_FILTER --provider other-model.ts",
    )
    .action(async (path: string, given: ReplayCommandOptions, command: Command) => {
      const pipeline = await importPipeline(given.pipeline);
      const llmProvider = given.provider === undefined ? undefined : await importProvider(given.provider);
      const { code: codes, concurrency } = given;
      const { signal, stopNowSignal, release } = stopSignals(terminal);
      try {
        const report = await pipeline.replay({ path, codes, llmProvider, concurrency, signal, stopNowSignal });
        print(report, terminal, command.optsWithGlobals()["debug"] === true);
        setExitCode(report.exitCode);
      } finally {
        release();
      }
    });
}

/** So many lines are named; of the others, how many there are. */
const mostLinesNamed = 20;

function print(report: ReplayReport, { stdout, stderr }: Terminal, withStack: boolean): void {
  const { readCount, successCount, failureCount, pendingCount, failuresByCode, error } = report;
  const { writtenSinceCount, remainingCount, notReplayable, keptPath } = report;
  for (const [code, count] of Object.entries(failuresByCode)) stderr.write(`  ${count} × ${code}\n`);
  if (notReplayable.length > 0) stderr.write(`Not replayable: ${notReplayable.length}\n`);
  for (const { line, reason } of notReplayable.slice(0, mostLinesNamed)) stderr.write(`  line ${line}: ${reason}\n`);
  const more = notReplayable.length - mostLinesNamed;
  if (more > 0) stderr.write(`  and ${more} more\n`);
  if (pendingCount > 0) stderr.write(`Pending: ${pendingCount}\n`);
  if (keptPath !== null) stderr.write(`The file as it was: ${keptPath}\n`);
  if (error !== null) stderr.write(`${report.status}: ${describeError(error, withStack)}\n`);
  if (report.exitCode === 3) stderr.write("Run the same command again to go on.\n");
  const counts = { Replayed: readCount, Succeeded: successCount, Failed: failureCount };
  const rest = { "Written since": writtenSinceCount, Remaining: remainingCount };
  const parts = Object.entries({ ...counts, ...rest }).map(([name, count]) => `${name}: ${count}`);
  stdout.write(`${parts.join(", ")}\n`);
}
