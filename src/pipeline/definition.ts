import type { AnySource } from "../contracts/source.ts";
import type { PipelineOptions } from "./options.ts";
import type { Destination } from "../contracts/sink.ts";
import type { Step } from "../contracts/step.ts";

/** A pipeline with its sinks, as its builder left it. */
export interface PipelineDefinition {
  readonly options: Omit<PipelineOptions<object>, "source"> & { readonly source: AnySource };
  readonly steps: readonly Step<never, string, unknown>[];
  readonly destinations: readonly Destination[];
}
