import { type InvalidAnswer, LLMEtlError } from "../errors/llm-etl-error.ts";
import { StepFailedError, ValidationError } from "../errors/step.ts";
import { textOf } from "../errors/thrown.ts";
import type { Conversation, Prompt } from "../contracts/conversation.ts";
import type { Issue } from "./issues.ts";

/** An answer as it was understood: the output, or what is wrong with it. */
export type Reading<Output> =
  | { readonly valid: true; readonly output: Output }
  | { readonly valid: false; readonly issues: readonly Issue[] };

export interface AskUntilValidOptions<Output> {
  readonly step: string;
  readonly prompt: Prompt;
  readonly read: (answer: string) => Reading<Output>;
  readonly conversation: Conversation;
  /** How often an invalid answer is asked for again: 3 means one call and up to three more. */
  readonly maxRetries: number;
}

/**
 * Asks, and asks again with the reasons, until the answer is valid. It stops early when an answer has the very issues
 * of the one before: the model has been told, and being told the same once more would not help it.
 *
 * @throws {ValidationError} with the issues of the last answer, and all answers
 * @throws {StepFailedError} if reading an answer throws; and what the conversation throws: each with the answers so far
 */
export async function askUntilValid<Output>(options: AskUntilValidOptions<Output>): Promise<Output> {
  const attempts: InvalidAnswer[] = [];
  try {
    return await askOn(options, attempts);
  } catch (error) {
    // What was paid for is kept, also where the last attempt brought no answer.
    if (error instanceof LLMEtlError && error.scope === "row" && attempts.length > 0) error.withAttempts(attempts);
    throw error;
  }
}

async function askOn<Output>(options: AskUntilValidOptions<Output>, attempts: InvalidAnswer[]): Promise<Output> {
  const { step, prompt, conversation, maxRetries } = options;
  let request = prompt;
  let issueCount = 0;
  let before = "";
  for (;;) {
    const { text } = await conversation.ask(request, issueCount);
    const reading = readOrKeep(options, text, attempts);
    if (reading.valid) return reading.output;
    const feedback = feedbackOn(reading.issues);
    attempts.push({ answer: text, issues: reading.issues.map((issue) => lineOf(issue, "detail")) });
    if (attempts.length > maxRetries || feedback === before) throw invalid(step, reading.issues, attempts);
    // Only the last answer is shown, not the whole history: a request must not grow with every re-ask.
    const answer = text.slice(0, maxEchoedCharacters).toWellFormed(); // half a surrogate pair is not UTF-8
    request = {
      ...prompt,
      messages: [...prompt.messages, { role: "assistant", content: answer }, { role: "user", content: feedback }],
    };
    issueCount = reading.issues.length;
    before = feedback;
  }
}

/** Reads an answer; one whose reading throws (a rule of the user's own with a bug) is kept as well. */
function readOrKeep<Output>(
  { step, read }: AskUntilValidOptions<Output>,
  answer: string,
  attempts: InvalidAnswer[],
): Reading<Output> {
  try {
    return read(answer);
  } catch (error) {
    if (error instanceof LLMEtlError) throw error;
    attempts.push({ answer, issues: [`the schema threw ${textOf(error)}`] });
    throw new StepFailedError(step, error);
  }
}

const maxEchoedCharacters = 2000;
const maxFeedbackLines = 10;

function feedbackOn(issues: readonly Issue[]): string {
  const lines = issues.slice(0, maxFeedbackLines).map((issue) => `- ${lineOf(issue, "detail")}`);
  return [
    "The previous reply did not pass validation:",
    ...lines,
    "Reply again with the complete corrected JSON object. Fields not listed above can stay as they were.",
  ].join("\n");
}

function lineOf(issue: Issue, wording: "message" | "detail"): string {
  return issue.path === "" ? issue[wording] : `${issue.path}: ${issue[wording]}`;
}

function invalid(step: string, issues: readonly Issue[], attempts: readonly InvalidAnswer[]): ValidationError {
  const listed = issues.slice(0, maxFeedbackLines);
  const message = listed.map((issue) => lineOf(issue, "message")).join("; ");
  const detail = listed.map((issue) => lineOf(issue, "detail")).join("; ");
  return new ValidationError(step, message, detail, attempts);
}
