import type { RunReport } from "../contracts/report.ts";
import { checkOptions } from "../errors/options.ts";
import type { PipelineDefinition } from "./definition.ts";
import { runChecks, type RunOptions } from "./options.ts";
import { resolvePipeline } from "./resolve.ts";
import { rowsOfRun } from "./rows-of-run.ts";
import { startRun } from "./run.ts";

/** Takes the rows of the source through the steps to the sink: see `RunnablePipeline.run`. */
export async function runPipeline(definition: PipelineDefinition, runOptions: RunOptions = {}): Promise<RunReport> {
  checkOptions("run", runOptions, runChecks);
  const pipeline = resolvePipeline(definition, runOptions);
  return await startRun(pipeline, { ...runOptions, kind: "run", ...rowsOfRun(pipeline, runOptions) });
}
