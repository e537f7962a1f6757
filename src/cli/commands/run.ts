import { Command, Option } from "commander";
import type { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { OptionError } from "../../errors/option.ts";
import type { RunOptions } from "../../pipeline/options.ts";
import { addParameter, amount, countOrShare, wholeNumber } from "../arguments.ts";
import { type CommandContext, envFileOption, moduleOr } from "../command.ts";
import { importPipeline } from "../import-module.ts";
import { endingOf, summaryOf } from "../summary.ts";
import { addWatchOptions, orAborted, watch, type WatchOptions } from "../watch.ts";

interface RunCommandOptions extends WatchOptions {
  readonly limit?: number;
  readonly concurrency?: number;
  readonly batchSize?: number;
  readonly param?: Readonly<Record<string, string>>;
  readonly maxCost?: number;
  readonly fresh?: boolean;
  readonly full?: boolean;
  readonly replace?: boolean;
  /** False where `--no-cache` was given. */
  readonly cache: boolean;
  /** False where `--no-count` was given. */
  readonly count: boolean;
  readonly batch?: boolean;
  readonly wait?: boolean;
  readonly onRowError?: Exclude<RunOptions["onRowError"], undefined>;
  readonly maxRowErrors?: number | "never";
}

/** Makes `llm-etl run [pipeline.ts]`: it runs the pipeline that a module exports as its default. */
export function runCommand(name: string, context: CommandContext): Command {
  const { terminal, setExitCode, isDebug } = context;
  const command = new Command(name)
    .argument("[pipeline.ts]")
    .option("--limit <rows>", "read at most this many rows", wholeNumber)
    .option("--concurrency <rows>", "rows processed concurrently", wholeNumber)
    .option("--batch-size <rows>", "rows written per batch", wholeNumber)
    .option("--param <name=value>", "a value for the source's statement (repeatable)", addParameter)
    .option("--max-cost <amount>", "stop, resumable, when the run has cost this much", amount)
    .addOption(new Option("--on-row-error <what>", "at a bad row").choices(["fail", "skip", "dead_letter"]))
    .option("--max-row-errors <rows>", "stop after so many bad rows, 0.05 of them, or never", countOrShare)
    .option("--fresh", "write every row again, unchanged ones as well")
    .option("--full", "read every row, unchanged ones as well")
    .option("--replace", "let a part of the rows, or none, replace a file")
    .option("--no-cache", "ask again, even if the journal has the answer")
    .option("--batch", "at half the price by the Batch API; run again later")
    .option("--wait", "with --batch: stay until all answers have come")
    .addOption(new Option("--no-count", "do not count the rows: no total in the progress").hideHelp())
    .addOption(envFileOption());
  return (
    addWatchOptions(command)
      // Of the 24 lines of a terminal none is left for a blank one.
      .addHelpText("after", "Example: llm-etl run pipeline.ts --limit 100 --max-cost 5")
      .action(async (path: string | undefined, options: RunCommandOptions) => {
        const pipeline = await orAborted(context, options, async () => await importPipeline(moduleOr(path)));
        const { param: parameters = {}, count, quiet = false, json = false, ...given } = options;
        const { limit, concurrency, batchSize, maxCost, fresh, full, replace, cache, onRowError, maxRowErrors } = given;
        const bounds = { limit, maxCost, onRowError, maxRowErrors };
        const settings = { ...bounds, concurrency, batchSize, fresh, full, replace, cache, parameters };
        const { batch = false, wait: waits = false } = options;
        if (waits && !batch)
          throw new OptionError("run", "--wait", "is only used with --batch", { expected: "--batch" });
        const watched = await watch(context, options, async (seen) => {
          const all = { ...settings, countRows: count && !quiet, ...seen };
          return batch ? await pipeline.runBatches({ ...all, wait: waits }) : await pipeline.run(all);
        });
        const { report } = watched;
        const say = (line: string): unknown => terminal.stderr.write(`${line}\n`);
        if (!quiet && !json) for (const line of summaryOf(watched, pipeline.canReplay)) say(line);
        for (const line of endingOf(watched, isDebug())) say(line);
        if (report.exitCode === 3 && pipeline.journalPath !== null) say(adviceToResume(options, report.error));
        if (!json) terminal.stdout.write(`Processed: ${report.successCount}, Failed: ${report.failureCount}\n`);
        setExitCode(report.exitCode);
      })
  );
}

/** Says how to resume a stopped run: without `--fresh`, which writes every row again, and `--no-cache`, which asks again. */
function adviceToResume({ fresh = false, full = false, cache }: RunCommandOptions, error: LLMEtlError | null): string {
  // One that is stopped is resumed where it was without --full, too.
  const flags = [...(full ? ["--full"] : []), ...(fresh ? ["--fresh"] : []), ...(cache ? [] : ["--no-cache"])];
  const without = flags.length === 0 ? "" : `, without ${flags.join(" and ")},`;
  const again = `un the same command again${without} to go on: finished work is not repeated.`;
  const isNoFault = error?.code === "ABORTED" || error?.code === "WAITING_FOR_BATCH";
  return isNoFault ? `R${again}` : `Fix the cause, then r${again}`;
}
