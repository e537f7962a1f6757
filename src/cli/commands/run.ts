import { Command } from "commander";
import type { RunReport } from "../../core/report.ts";
import { addParameter, wholeNumber } from "../arguments.ts";
import { formatSaved } from "../format.ts";
import { importPipeline } from "../import-module.ts";
import { stopSignals } from "../signals.ts";
import { describeError, type Terminal } from "../terminal.ts";

interface RunCommandOptions {
  readonly limit?: number;
  readonly concurrency?: number;
  readonly param?: Readonly<Record<string, string>>;
  readonly fresh?: boolean;
  /** False where `--no-cache` was given. */
  readonly cache: boolean;
}

/** `llm-etl run <pipeline.ts>`: runs the pipeline that a module exports as its default. */
export function runCommand(terminal: Terminal, setExitCode: (code: number) => void): Command {
  return new Command("run")
    .description("run the pipeline that a module exports as its default")
    .argument("<pipeline.ts>", "the module: TypeScript or JavaScript")
    .option("--limit <rows>", "read at most so many rows", wholeNumber)
    .option("--concurrency <rows>", "have so many rows in flight at once", wholeNumber)
    .option("--param <name=value>", "give the source's statement a value, as text (repeat for more)", addParameter)
    .option("--fresh", "write every row again, also unchanged ones")
    .option("--no-cache", "ask the model again, also where the journal has the answer")
    .addHelpText("after", "\nExample:\n  llm-etl run pipeline.ts --limit 100 --param department=Cardiology")
    .action(async (path: string, options: RunCommandOptions, command: Command) => {
      const { limit, concurrency, param: parameters = {}, fresh, cache } = options;
      const pipeline = await importPipeline(path);
      const { signal, stopNowSignal, release } = stopSignals(terminal);
      try {
        const report = await pipeline.run({ limit, concurrency, parameters, fresh, cache, signal, stopNowSignal });
        print(report, terminal, command.optsWithGlobals()["debug"] === true);
        if (report.exitCode === 3 && pipeline.journalPath !== null) terminal.stderr.write(`${adviceToGoOn(options)}\n`);
        terminal.stdout.write(`Processed: ${report.successCount}, Failed: ${report.failureCount}\n`);
        setExitCode(report.exitCode);
      } finally {
        release();
      }
    });
}

function print(report: RunReport, terminal: Terminal, withStack: boolean): void {
  const { failuresByCode, unchangedCount, skippedCount, pendingCount, usage, savedCost } = report;
  const { reusedAnswers, savedInputTokens, savedOutputTokens } = usage;
  const write = (line: string): unknown => terminal.stderr.write(`${line}\n`);
  for (const [code, count] of Object.entries(failuresByCode)) write(`  ${count} × ${code}`);
  if (unchangedCount > 0) write(`Unchanged: ${unchangedCount}`);
  if (reusedAnswers > 0) {
    const saved = formatSaved(savedInputTokens, savedOutputTokens, savedCost);
    write(`Reused answers: ${reusedAnswers} (saved ${saved})`);
  }
  if (skippedCount > 0) write(`Skipped: ${skippedCount}`);
  if (pendingCount > 0) write(`Pending: ${pendingCount}`);
  if (report.error !== null) write(`${report.status}: ${describeError(report.error, withStack)}`);
}

/** How to go on with a run that was stopped. `--fresh` would write anew what is written, `--no-cache` ask again. */
function adviceToGoOn({ fresh = false, cache }: RunCommandOptions): string {
  const flags = [...(fresh ? ["--fresh"] : []), ...(cache ? [] : ["--no-cache"])];
  const without = flags.length === 0 ? "" : `, without ${flags.join(" and ")},`;
  return `Run the same command again${without} to go on.`;
}
