import type { ColumnLimit } from "./sink.ts";
import type { Conversation } from "./conversation.ts";
import type { JSONSchema } from "../json/json-schema.ts";
import type { LLMProvider } from "./provider.ts";

export interface StepContext {
  /** Aborted when the run gives its rows up: a step that waits then ends within moments. */
  readonly signal: AbortSignal;
  /** Asks the model on behalf of this row and this step. */
  readonly llm: Conversation;
  /** The limits of the target's columns for this step's output; an answer that breaks one is asked for again. */
  readonly limits?: readonly FieldLimit[] | undefined;
  /** Call it for a field of the output that is null because the model's value is invalid: the report counts it. */
  readonly onInvalidValue?: ((field: string) => void) | undefined;
}

/** One operation on every row. It returns only what it adds. */
export interface Step<In, Key extends string, Out> {
  readonly name: string;
  /** The output's name in `state.processed`. */
  readonly outputKey: Key;
  /** The step's own provider, or for each row the name of one of `llmProviders`. @default the pipeline's */
  readonly llmProvider?: LLMProvider | ((state: In) => string) | undefined;
  /** The providers that `llmProvider` chooses from, by name. */
  readonly llmProviders?: Readonly<Record<string, LLMProvider>> | undefined;
  /** Describes the output, with its limits as keywords. A step with a model has it. */
  readonly outputSchema?: JSONSchema | undefined;
  /** The output as later steps and the sink find it, where that is not what the model fills in: after transforms. @default outputSchema */
  readonly outputFields?: JSONSchema | undefined;
  /** The functions that make its inputs: a run tries them, over its first row and made-up outputs, before its first call. */
  readonly inputMap?: Readonly<Record<string, (state: In) => unknown>> | undefined;
  /**
   * All that can change its output, beside the row, its inputs, its provider and the text of its class: values, schemas and functions, which are compared by their texts.
   * A run that reads only what changed reads everything once this differs from before. @default its own properties
   */
  readonly settings?: object | undefined;
  /**
   * Says of a row if the step applies to it. Where it does not the step is not run, and its output is null: `Out` has null then. It is called
   * once for each row, before the step's inputs are made; if it throws, or gives no boolean, the row fails. @default each row
   */
  readonly when?: ((state: In) => boolean) | undefined;
  /** The questions that it asks about a row, where it may be more than one: `check` reports them. @default one */
  readonly asking?: (() => Asking) | undefined;
  /** Throws a `RowError` if something is wrong with this row; anything else thrown becomes one. */
  readonly run: (state: In, context: StepContext) => Promise<Out>;
}

/** The questions that a step asks about a row. */
export interface Asking {
  /** The fields that a model fills in. */
  readonly fields: readonly string[];
  /** The calls of a row, re-asks aside. */
  readonly calls: { readonly least: number; readonly most: number };
  /** The parts of its prompts that are equal for every row, in characters (UTF-16 units). */
  readonly prompts: { readonly count: number; readonly shortest: number; readonly longest: number };
}

/** The output of a step with the option `when`, where `Applies` is what the function gives: null too. Without one (`never`) it is `Out`. */
export type OutputWhen<Out, Applies extends boolean> = Out | (Applies extends boolean ? null : never);

/** The limit of a column, for the field of a step's output that is written there unchanged. */
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
  /** Of a step that chooses for each row, the first of `choices`. */
  readonly provider: LLMProvider;
  /** By name, the providers that the step chooses from for each row. @default `provider` for each row */
  readonly choices?: Readonly<Record<string, LLMProvider>> | undefined;
}
