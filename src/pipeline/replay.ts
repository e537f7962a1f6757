import type { ReplayReport } from "../contracts/report.ts";
import { DeadLetterReplay } from "../dead-letter/replay.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions } from "../errors/options.ts";
import { absolutePath } from "../files/paths.ts";
import type { PipelineDefinition } from "./definition.ts";
import { replayChecks, type ReplayOptions } from "./options.ts";
import { resolvePipeline } from "./resolve.ts";
import { startRun } from "./run.ts";
import { deadLetterPathOf } from "./run-files.ts";

/** Takes the rows of a dead letter file through the steps to the sink: see `RunnablePipeline.replay`. */
export async function replayPipeline(
  { options, steps, sink }: PipelineDefinition,
  replayOptions: ReplayOptions = {},
): Promise<ReplayReport> {
  checkOptions("replay", replayOptions, replayChecks);
  const { path, codes, llmProvider, ...runOptions } = replayOptions;
  if (!sink.keepsRows) {
    const problem = `the sink ${sink.name} writes its file anew in each run, so that there is nothing to add to`;
    const hint = "run the pipeline again: failed rows are tried again";
    throw new OptionError("replay", "path", problem, { sink: sink.name, hint });
  }
  if (options.journal === "off")
    throw new OptionError("Pipeline", "journal", "a replay needs the journal", { got: "off" });
  const deadLetterPath = path === undefined ? deadLetterPathOf(options) : absolutePath(path);
  const replay = await DeadLetterReplay.open(deadLetterPath, options.name, codes);
  const definition = { options: { ...options, onRowError: "dead_letter" as const, deadLetterPath }, steps, sink };
  const report = await startRun(resolvePipeline(definition, runOptions, llmProvider), {
    kind: "replay",
    signal: runOptions.signal,
    stopNowSignal: runOptions.stopNowSignal,
    onEvent: (event) => {
      replay.observe(event);
      return runOptions.onEvent?.(event);
    },
    source: async (journal) =>
      await replay.begin(options.source, async (pk) => (await journal?.writtenRow(sink.identity, pk))?.completedAt),
    finish: async () => await replay.finish(),
  });
  return { ...report, ...replay.figures };
}
