import type { LLMProvider } from "../contracts/provider.ts";
import type { Step } from "../contracts/step.ts";
import { OptionError } from "../errors/option.ts";
import {
  hasFunctions,
  isCount,
  isFunction,
  isFunctionMap,
  isList,
  isName,
  isNumber,
  isObject,
  isOneOf,
  isText,
  type OptionCheck,
  optional,
} from "../errors/options.ts";
import type { StepExample } from "./examples.ts";
import type { InputMap } from "./row-inputs.ts";

/** The options of every step that asks a model. */
export interface ModelStepOptions<
  State,
  Key extends string,
  Input extends string = string,
  Applies extends boolean = never,
  Answer extends object = never,
> {
  readonly name: string;
  readonly inputMap: InputMap<State, Input>;
  /** The key of the output in `state.processed`. */
  readonly outputKey: Key;
  /**
   * The rows that the step applies to: those for which it gives true. Other rows make no call, and the step's output is null for them, which its
   * type says. If it throws, or gives no boolean, the row fails. @default each row
   *
   * @example when: (s) => s.processed.visit_type.category === "Emergency"
   */
  readonly when?: ((state: State) => Applies) | undefined;
  /** Further instructions, a part of the system message. They are equal for every row. */
  readonly instructions?: string | undefined;
  /**
   * Inputs, each with the answer that is wanted: a part of the system message, equal for every row. An answer has each field of the schema, as
   * the model is to write it. @default none
   *
   * @example examples: [{ input: { text: "My card was swallowed" }, output: { reasoning: "…", category: "Card", confidence: 0.9 } }]
   */
  readonly examples?: readonly StepExample<Input, Answer>[] | undefined;
  /**
   * The provider, or a function that chooses one of `llmProviders` for each row, by its name: a small model for most rows, a large one for some.
   * If it throws, or gives another name, the row fails. @default the pipeline's
   *
   * @example llmProvider: (s) => (s.raw.notes.length > 2000 ? "large" : "small")
   */
  readonly llmProvider?: LLMProvider | ((state: State) => string) | undefined;
  /**
   * The providers that `llmProvider` chooses from, by name: `check`, limits and prices know them all.
   *
   * @example llmProviders: { small: new AzureOpenAIProvider({ deployment: "gpt-4.1-mini" }), large: new AzureOpenAIProvider({ deployment: "gpt-4.1" }) }
   */
  readonly llmProviders?: Readonly<Record<string, LLMProvider>> | undefined;
  /** The most re-asks after an invalid answer; each has the reasons. @default 3 */
  readonly maxRetries?: number | undefined;
  /** From 0 to 2; not sent to models that have none. @default 0 */
  readonly temperature?: number | undefined;
  /** The most tokens of an answer. Azure counts them against the quota when a request arrives. @default 512 */
  readonly maxOutputTokens?: number | undefined;
  /** The most characters (UTF-16 units) of `text` that the model is sent. @default no limit */
  readonly maxInputCharacters?: number | undefined;
  /** The treatment of a longer `text`: fail the row without a call, or send the beginning. @default "fail" */
  readonly onTooLong?: "fail" | "truncate" | undefined;
}

const isProvider = hasFunctions("a provider", "complete", "fingerprint");

/** The checks of {@link ModelStepOptions}, for the options of a step built on it. */
export const modelStepChecks: { readonly [Name in keyof ModelStepOptions<unknown, string>]-?: OptionCheck } = {
  name: isName,
  inputMap: isFunctionMap,
  outputKey: isName,
  when: optional(isFunction),
  instructions: optional(isText),
  examples: optional(isList),
  llmProvider: optional({
    expected: "a provider, or a function that chooses one of llmProviders",
    fits: (value) => typeof value === "function" || isProvider.fits(value),
    required: true,
  }),
  llmProviders: optional({
    expected: "an object of providers, with at least one",
    fits: (value) =>
      isObject.fits(value) &&
      Object.values(Object(value)).length > 0 &&
      Object.values(Object(value)).every(isProvider.fits),
    required: true,
  }),
  maxRetries: optional(isCount(0)),
  temperature: optional(isNumber(0, 2)),
  maxOutputTokens: optional(isCount(1)),
  maxInputCharacters: optional(isCount(1)),
  onTooLong: optional(isOneOf("fail", "truncate")),
};

/** @throws {OptionError} if a function is to choose and has nothing to choose from, or the other way round */
export function requireChoice({
  name,
  llmProvider,
  llmProviders,
}: Pick<Step<never, string, unknown>, "name" | "llmProvider" | "llmProviders">): void {
  const chooses = typeof llmProvider === "function";
  if (chooses === (llmProviders !== undefined)) return;
  const owner = `step "${name}"`;
  if (chooses)
    throw new OptionError(owner, "llmProviders", "", {
      expected: "the providers that llmProvider chooses from, by name",
    });
  throw new OptionError(owner, "llmProvider", "", {
    expected: "a function that chooses one of llmProviders for each row",
  });
}
