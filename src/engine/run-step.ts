import type { RowConversation } from "../contracts/conversation.ts";
import type { AnyStep, StepContext } from "../contracts/step.ts";
import { describeType } from "../errors/describe-type.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { ignoreRejection } from "../errors/promised.ts";
import { StepFailedError, WhenError } from "../errors/step.ts";
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
  let value: unknown;
  try {
    value = when(state as never); // as for `run`
  } catch (error) {
    throw new WhenError(name, `threw ${describeThrown(error)}`, {
      cause: error,
      detail: `${name}: when threw ${thrownDetail(error)}`,
      facts: { ...thrownBy(error) },
    });
  }
  if (typeof value === "boolean") return value;
  const got = ignoreRejection(value) ? "a promise" : describeType(value);
  throw new WhenError(name, "returned a wrong value", { facts: { expected: "true or false", got } });
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
