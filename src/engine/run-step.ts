import type { RowConversation } from "../contracts/conversation.ts";
import type { AnyStep, ResolvedStep, StepContext } from "../contracts/step.ts";
import { describeType } from "../errors/describe-type.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { ignoreRejection } from "../errors/promised.ts";
import { listNames } from "../errors/name-list.ts";
import { ProviderChoiceError, StepFailedError, WhenError } from "../errors/step.ts";
import { describeThrown, thrownBy, thrownDetail } from "../errors/thrown.ts";
import type { AnyState } from "./state.ts";

/**
 * Runs one step on one row, for `check`; it adds null where the step does not apply. A run does the same within `Engine`.
 *
 * @throws {LLMEtlError} as the step threw it; anything else that it throws becomes a {@link StepFailedError}
 */
export async function runStep(step: AnyStep, state: AnyState, context: StepContext): Promise<AnyState> {
  try {
    // The builder's types have matched each step to the state that it is given.
    const output = applies(step, state) ? await step.run(state as never, context) : null;
    return state.with(step.name, step.outputKey, output);
  } catch (error) {
    throw stepError(step, error);
  }
}

/** @throws {WhenError} if the step can't say if it applies to the row */
export function applies({ name, when }: AnyStep, state: AnyState): boolean {
  if (when === undefined) return true;
  const value = resultOf({ name, option: "when", read: when, ErrorClass: WhenError }, state);
  if (typeof value === "boolean") return value;
  throw new WhenError(name, "returned a wrong value", { facts: { expected: "true or false", got: gotOf(value) } });
}

/**
 * The step with the provider that it asks about this row.
 *
 * @throws {ProviderChoiceError} if the step's function names none of its providers
 */
export function withProviderFor(resolved: ResolvedStep, state: AnyState): ResolvedStep {
  const { step, choices } = resolved;
  const { name, llmProvider: read } = step;
  if (choices === undefined || typeof read !== "function") return resolved;
  const value = resultOf({ name, option: "llmProvider", read, ErrorClass: ProviderChoiceError }, state);
  const provider = typeof value === "string" && Object.hasOwn(choices, value) ? choices[value] : undefined;
  if (provider !== undefined) return { step, provider };
  const expected = `one of ${listNames(Object.keys(choices))}`;
  const got = typeof value === "string" ? "another name" : gotOf(value);
  const detail = `${name}: llmProvider gave ${JSON.stringify(value)}, which is no name of llmProviders`;
  throw new ProviderChoiceError(name, "returned a wrong value", { detail, facts: { expected, got } });
}

interface Question {
  /** The step's name. */
  readonly name: string;
  readonly option: string;
  readonly read: (state: never) => unknown;
  readonly ErrorClass: typeof WhenError | typeof ProviderChoiceError;
}

function resultOf({ name, option, read, ErrorClass }: Question, state: AnyState): unknown {
  try {
    return read(state as never); // as for `run`
  } catch (error) {
    const detail = `${name}: ${option} threw ${thrownDetail(error)}`;
    throw new ErrorClass(name, `threw ${describeThrown(error)}`, {
      cause: error,
      detail,
      facts: { ...thrownBy(error) },
    });
  }
}

function gotOf(value: unknown): string {
  return ignoreRejection(value) ? "a promise" : describeType(value);
}

export function stepError({ name }: AnyStep, thrown: unknown): LLMEtlError {
  return thrown instanceof LLMEtlError ? thrown : new StepFailedError(name, thrown);
}

/** Settles what becomes of the answers of a step that failed. `working` is aborted once the run gives its rows up. */
export async function settleAnswers(llm: RowConversation, error: LLMEtlError, working: AbortSignal): Promise<void> {
  if (error instanceof StepFailedError) return; // of a function with a bug the answers are as good as ever
  if (error.scope === "row" && error.confirmation === undefined && !working.aborted) await llm.forget();
  else await llm.putBack();
}
