import type { ColumnLimit } from "./sink.ts";

import type { Conversation } from "./conversation.ts";
import type { JSONSchema } from "../json/json-schema.ts";
import type { LLMProvider } from "./provider.ts";

export interface StepContext {
  /** Aborted when the run gives up: what waits ends within moments. */
  readonly signal: AbortSignal;
  /** Asks the model on behalf of this row and this step. */
  readonly llm: Conversation;
  /** What the target's columns can hold of this step's output; an answer that does not fit is asked for again. */
  readonly limits?: readonly FieldLimit[] | undefined;
}

/** One thing that is done to every row. It returns only what it adds. */
export interface Step<In, Key extends string, Out> {
  readonly name: string;
  /** Where the output stands in `state.processed`. */
  readonly outputKey: Key;
  /** Whom the step asks instead of the pipeline's provider. */
  readonly llmProvider?: LLMProvider | undefined;
  /** What the output is, with its limits as keywords; a step with a model has it. */
  readonly outputSchema?: JSONSchema | undefined;
  /** Throws a `RowError` for what is wrong with this row; anything else thrown becomes one. */
  readonly run: (state: In, context: StepContext) => Promise<Out>;
}

/** What a column can hold, for the field of a step's output that is written there as it is. */
export interface FieldLimit extends ColumnLimit {
  /** From the output to the field. */
  readonly path: readonly string[];
  readonly column: string;
}

/** A step whose types do not matter: the builder has matched them. */
export type AnyStep = Step<never, string, unknown>;

/** A step, and the provider that it asks. */
export interface ResolvedStep {
  readonly step: AnyStep;
  readonly provider: LLMProvider;
}
