import { type ErrorOptions, type InvalidAnswer, RowError } from "./llm-etl-error.ts";
import { describeThrown, thrownBy, thrownDetail } from "./thrown.ts";

/** The input `text` of an LLM step is empty or NULL. No call was made. */
export class EmptyInputError extends RowError {
  constructor(step: string) {
    const hint = "leave such rows out in the source's query if they are no failures";
    super("EMPTY_INPUT", `${step}: the input "text" is empty or NULL, so the model was not asked`, {
      facts: { step, where: "text", hint },
    });
  }
}

/** A function of a step's `inputMap` threw, or returned something else than text, a number, a date or NULL. */
export class InputMapError extends RowError {
  constructor(step: string, input: string, problem: string, options: ErrorOptions = {}) {
    const facts = { step, where: input, ...options.facts };
    super("INPUT_MAP_FAILED", `${step}: inputMap.${input} ${problem}`, { ...options, facts });
  }
}

/** The function `when` of a step threw, or returned something else than true or false. */
export class WhenError extends RowError {
  constructor(step: string, problem: string, options: ErrorOptions = {}) {
    const facts = { step, where: "when", ...options.facts };
    super("WHEN_FAILED", `${step}: when ${problem}`, { ...options, facts });
  }
}

/** The function `llmProvider` of a step threw, or gave no name of its `llmProviders`. */
export class ProviderChoiceError extends RowError {
  constructor(step: string, problem: string, options: ErrorOptions = {}) {
    const facts = { step, where: "llmProvider", ...options.facts };
    super("PROVIDER_CHOICE_FAILED", `${step}: llmProvider ${problem}`, { ...options, facts });
  }
}

/** An input is longer than `maxInputCharacters`, and `onTooLong` is `"fail"`. No call was made. */
export class InputTooLongError extends RowError {
  constructor(step: string, length: number, maxInputCharacters: number) {
    const hint = 'raise maxInputCharacters or set onTooLong: "truncate"';
    const facts = { step, where: "text", expected: `at most ${maxInputCharacters} characters`, got: length, hint };
    super("INPUT_TOO_LONG", `${step}: the input "text" is too long`, { facts });
  }
}

/** The model's last answer did not pass validation, and no re-ask is left (or none would help). */
export class ValidationError extends RowError {
  /** @param fields the paths of the issues, dotted; an empty path is the answer as a whole */
  constructor(
    step: string,
    problem: string,
    detail: string,
    attempts: readonly InvalidAnswer[],
    fields: readonly string[] = [],
  ) {
    super("INVALID_OUTPUT", `${step}: ${problem}`, {
      detail,
      facts: { step, where: fields, attempts: attempts.length },
    });
    this.withAttempts(attempts);
  }
}

/** A step threw something that is not an error of llm-etl: mostly a bug in a function of the user's. */
export class StepFailedError extends RowError {
  constructor(step: string, cause: unknown) {
    super("STEP_FAILED", `step "${step}" threw ${describeThrown(cause)}`, {
      cause,
      detail: `step "${step}" threw ${thrownDetail(cause)}`,
      facts: { step, ...thrownBy(cause) },
    });
  }
}
