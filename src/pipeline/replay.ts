import type { DeadLetter, DeadLetterReplay } from "../contracts/dead-letter.ts";
import type { ReplayReport } from "../contracts/report.ts";
import { DeadLetterFile } from "../dead-letter/file.ts";
import { Ending, within } from "../engine/ending.ts";
import { withinLimit } from "../engine/time-limit.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions } from "../errors/options.ts";
import type { PipelineDefinition } from "./definition.ts";
import { replayChecks, type ReplayOptions } from "./options.ts";
import { type ResolvedPipeline, resolvePipeline } from "./resolve.ts";
import { startRun } from "./run.ts";
import { ReplayedRows } from "./replayed-rows.ts";
import { deadLetterOf } from "./run-files.ts";
import { writtenEverywhere } from "./written-rows.ts";

/** Takes the rows of the dead letters, as the source has them now, through the steps to the sink: see `RunnablePipeline.replay`. */
export async function replayPipeline(
  { options, steps, destinations }: PipelineDefinition,
  replayOptions: ReplayOptions = {},
): Promise<ReplayReport> {
  checkOptions("replay", replayOptions, replayChecks);
  const { path, codes, llmProvider, ...runOptions } = replayOptions;
  const anew = destinations.find(({ sink }) => !sink.keepsRows)?.sink;
  if (anew !== undefined) {
    const problem = `the sink ${anew.name} writes its file anew in each run, so that there is nothing to add to`;
    const hint = "run the pipeline again: failed rows are tried again";
    throw new OptionError("replay", "path", problem, { sink: anew.name, hint });
  }
  if (options.journal === "off")
    throw new OptionError("Pipeline", "journal", "a replay needs it", { expected: "a journal", got: "off" });
  if (options.source.find === undefined && Object.keys(runOptions.parameters ?? {}).length > 0) {
    const problem = "the source can't find rows by key, so that its statement is not asked";
    throw new OptionError("replay", "parameters", problem, {
      hint: "leave them out: rows are replayed as they failed",
    });
  }
  const deadLetter = path === undefined ? deadLetterOf(options) : new DeadLetterFile({ path });
  const storeOptions = { onRowError: "dead_letter" as const, deadLetter, deadLetterPath: undefined };
  const definition = { options: { ...options, ...storeOptions }, steps, destinations };
  const pipeline = resolvePipeline(definition, runOptions, llmProvider);
  const { signal, stopNowSignal } = runOptions;
  const replay = await openReplay(deadLetter, pipeline, [signal, stopNowSignal]);
  const ending = Ending.of(runOptions, pipeline.settings.gracePeriodMs);
  const rows = new ReplayedRows({ name: deadLetter.name, replay, codes });
  try {
    const report = await startRun(pipeline, {
      kind: "replay",
      signal,
      stopNowSignal,
      onEvent: (event) => {
        rows.observe(event);
        return runOptions.onEvent?.(event);
      },
      source: async (journal) =>
        await rows.begin(options.source, async (pks) => {
          return journal === undefined ? new Map() : await writtenEverywhere(journal, destinations, pks);
        }),
      finish: async () => await rows.finish(),
    });
    return { ...report, ...rows.figures };
  } finally {
    await within(pipeline.settings.closeTimeoutMs, replay.close(), ending);
    ending.end();
  }
}

/** Opens the dead letters for their rows. @throws {LLMEtlError} if that can't be done, or takes too long */
async function openReplay(
  deadLetter: DeadLetter,
  { name: pipeline, settings: { openTimeoutMs: limitMs } }: ResolvedPipeline,
  signals: readonly (AbortSignal | undefined)[],
): Promise<DeadLetterReplay> {
  const signal = AbortSignal.any(signals.filter((each) => each !== undefined));
  const limit = {
    code: "DEAD_LETTER_FAILED",
    what: `${deadLetter.name}: replay`,
    option: "openTimeoutMs",
    limitMs,
  } as const;
  return await withinLimit(
    { ...limit, signal },
    async () => await deadLetter.replay(pipeline),
    async (late) => await late.close(),
  );
}
