import { Command } from "commander";
import type { ReplayReport } from "../../contracts/report.ts";
import { addParameter, addText, wholeNumber } from "../arguments.ts";
import { type CommandContext, envFileOption } from "../command.ts";
import { importPipeline, importProvider } from "../import-module.ts";
import { toLine } from "../progress/events.ts";
import { endingOf, summaryOf } from "../summary.ts";
import { fromHere } from "../../files/paths.ts";
import { addWatchOptions, orAborted, watch, type WatchOptions } from "../watch.ts";

interface ReplayCommandOptions extends WatchOptions {
  readonly pipeline: string;
  readonly code?: readonly string[];
  readonly provider?: string;
  readonly concurrency?: number;
  readonly param?: Readonly<Record<string, string>>;
}

/** `llm-etl replay [file]`: takes the rows of a dead letter file through their pipeline once more. */
export function replayCommand(name: string, context: CommandContext): Command {
  const { terminal, setExitCode, isDebug } = context;
  const command = new Command(name)
    .argument("[file]", "the dead letter file; by default the pipeline's")
    .requiredOption("--pipeline <pipeline.ts>", "the module that exports the pipeline as its default")
    .option("--code <code>", "only rows with this error code (repeatable)", addText)
    .option("--provider <provider.ts>", "the provider that every step asks: its default export")
    .option("--param <name=value>", "a value for the source's statement (repeatable)", addParameter)
    .option("--concurrency <rows>", "rows processed concurrently", wholeNumber)
    .addOption(envFileOption());
  return addWatchOptions(command)
    .addHelpText("after", "\nExample:\n  llm-etl replay --pipeline pipeline.ts --code REFUSAL")
    .action(async (path: string | undefined, options: ReplayCommandOptions) => {
      const { code: codes, concurrency, param: parameters, quiet = false, json = false } = options;
      const { pipeline, llmProvider } = await orAborted(context, options, async () => ({
        pipeline: await importPipeline(options.pipeline),
        llmProvider: options.provider === undefined ? undefined : await importProvider(options.provider),
      }));
      const watched = await watch(context, options, async (seen) => {
        const settings = { path, codes, llmProvider, concurrency, parameters, countRows: !quiet };
        return await pipeline.replay({ ...settings, ...seen });
      });
      const { report } = watched;
      const say = (line: string): unknown => terminal.stderr.write(`${line}\n`);
      const lines = [...summaryOf(watched, true), ...rowsOf(report), ...fileOf(report)];
      if (!quiet && !json) for (const line of lines) say(line);
      for (const line of endingOf(watched, isDebug())) say(line);
      if (report.exitCode === 3) say("Run the same command again to go on.");
      terminal.stdout.write(json ? toLine({ type: "replay-end", report }) : `${resultOf(report)}\n`);
      setExitCode(report.exitCode);
    });
}

/** Lines beyond this number are counted and not named. */
const mostLinesNamed = 20;

/** The lines on where the rows were taken from. */
function rowsOf({ asInSourceCount, asFailedCount, notInSourceCount }: ReplayReport): readonly string[] {
  return [
    ...(asInSourceCount > 0 ? [`As the source has them now: ${asInSourceCount}`] : []),
    ...(asFailedCount > 0
      ? [`As they were when they failed: ${asFailedCount} (the source can't find them by key)`]
      : []),
    ...(notInSourceCount > 0
      ? [
          `Not in the source any more: ${notInSourceCount} (deleted, or left out by its statement; not asked, kept in the file)`,
        ]
      : []),
  ];
}

/** The lines on the dead letter file after the replay. */
function fileOf({ notReplayable, keptPath }: ReplayReport): readonly string[] {
  const more = notReplayable.length - mostLinesNamed;
  return [
    ...(notReplayable.length > 0 ? [`Not replayable: ${notReplayable.length}`] : []),
    ...notReplayable.slice(0, mostLinesNamed).map(({ line, reason }) => `  line ${line}: ${reason}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
    ...(keptPath === null ? [] : [`The file as it was: ${fromHere(keptPath)}`]),
  ];
}

function resultOf({ readCount, successCount, failureCount, notInSourceCount, ...file }: ReplayReport): string {
  const counts = { Replayed: readCount, Succeeded: successCount, Failed: failureCount };
  const gone = notInSourceCount === 0 ? {} : { "Not in source": notInSourceCount };
  const rest = { "Written since": file.writtenSinceCount, ...gone, Remaining: file.remainingCount };
  return Object.entries({ ...counts, ...rest })
    .map(([name, count]) => `${name}: ${count}`)
    .join(", ");
}
