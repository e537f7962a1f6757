import { hostname } from "node:os";
import type { RunFacts } from "../contracts/journal.ts";
import { ownVersion } from "../files/own-version.ts";
import { plainOptions } from "./recorder.ts";
import type { ResolvedPipeline } from "./resolve.ts";

/** The facts of a run of the pipeline that this process begins. */
export function factsOf(pipeline: ResolvedPipeline, run: Pick<RunFacts, "runId" | "kind" | "startedAt">): RunFacts {
  return {
    ...run,
    pipeline: pipeline.name,
    ...sinksOf(pipeline),
    processId: process.pid,
    host: hostname(),
    version: ownVersion(),
    options: plainOptions(pipeline.settings),
  };
}

/** The sinks, as events and the journal name them. */
export function sinksOf({ destinations }: ResolvedPipeline): Pick<RunFacts, "sink" | "sinks"> {
  const sinks = destinations.flatMap(({ sink, label }) => (label === undefined ? [] : sink.identity));
  return { sink: destinations[0]?.sink.identity ?? "", ...(sinks.length > 0 && { sinks }) };
}
