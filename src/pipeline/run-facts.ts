import { hostname } from "node:os";
import type { RunEvent } from "../contracts/events.ts";
import type { RunFacts } from "../contracts/journal.ts";
import { ownVersion } from "../files/own-version.ts";
import { currencyOf } from "./currency.ts";
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

/** The event with which a run begins; `source` is the name of the source of its rows. */
export function runStartOf(
  pipeline: ResolvedPipeline,
  run: Pick<RunFacts, "runId" | "kind" | "startedAt"> & { readonly source: string },
): RunEvent {
  const { name, steps, providers, settings, stores } = pipeline;
  return {
    type: "run-start",
    ...run,
    pipeline: name,
    ...sinksOf(pipeline),
    steps: steps.map(({ step }) => step.name),
    concurrency: settings.concurrency,
    currency: currencyOf(providers),
    journalPath: stores.journal?.identity ?? null,
    payloadLogPath: stores.payloadLog?.path ?? null,
    deadLetterPath: stores.deadLetter?.identity ?? null,
  };
}
