import type { AnyStep, StepContext } from "../contracts/step.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { StepFailedError } from "../errors/step.ts";
import type { AnyState } from "./state.ts";

/**
 * Runs one step on one row, for `check`. A run does the same within `Engine`.
 *
 * @throws {LLMEtlError} as the step threw it; anything else that it throws becomes a {@link StepFailedError}
 */
export async function runStep(step: AnyStep, state: AnyState, context: StepContext): Promise<AnyState> {
  try {
    // The builder's types have matched each step to the state that it is given.
    return state.with(step.name, step.outputKey, await step.run(state as never, context));
  } catch (error) {
    throw stepError(step, error);
  }
}

export function stepError({ name }: AnyStep, thrown: unknown): LLMEtlError {
  return thrown instanceof LLMEtlError ? thrown : new StepFailedError(name, thrown);
}
