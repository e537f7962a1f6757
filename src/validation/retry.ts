import { type InvalidAnswer, LLMEtlError } from "../errors/llm-etl-error.ts";
import { StepFailedError, ValidationError } from "../errors/step.ts";
import { textOf } from "../errors/error-text.ts";
import type { Conversation, Prompt } from "../contracts/conversation.ts";
import type { Issue } from "./issues.ts";
import { echoOf, reAskMessage } from "./re-ask-wording.ts";

/** The outcome of reading an answer: an output, or the issues. */
export type Reading<Output> =
  | { readonly valid: true; readonly output: Output }
  | { readonly valid: false; readonly issues: readonly Issue[] };

export interface AskUntilValidOptions<Output> {
  readonly step: string;
  readonly prompt: Prompt;
  readonly read: (answer: string) => Reading<Output>;
  readonly conversation: Conversation;
  /** The most re-asks: 3 means one call and up to three more. */
  readonly maxRetries: number;
}

/**
 * Asks, and asks again with the reasons, until the answer is valid. It stops early when an answer has exactly the issues
 * of the one before: the model has seen them, and seeing them once more would not help it.
 *
 * @throws {ValidationError} with the issues of the last answer, and all answers
 * @throws {StepFailedError} if reading an answer throws. Errors of the conversation pass through. Each has the answers so far.
 */
export async function askUntilValid<Output>(options: AskUntilValidOptions<Output>): Promise<Output> {
  const attempts: InvalidAnswer[] = [];
  try {
    return await askOn(options, attempts);
  } catch (error) {
    // Answers that were paid for are kept, also when the last attempt brought none.
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
    const feedback = reAskMessage(reading.issues.map(({ path, detail, reAsk: line = detail }) => ({ path, line })));
    attempts.push({ answer: text, issues: reading.issues.map((issue) => sentenceOf(issue, "detail")) });
    if (attempts.length > maxRetries || feedback === before) throw invalid(step, reading.issues, attempts);
    const exchange = [
      { role: "assistant", content: echoOf(text) },
      { role: "user", content: feedback },
    ] as const;
    // Only the last answer is shown, not the whole history: a request must not grow with every re-ask.
    request = { ...prompt, messages: [...prompt.messages, ...exchange] };
    issueCount = reading.issues.length;
    before = feedback;
  }
}

/** Reads an answer. It is kept also if reading it throws: a rule of the user's own may have a bug. */
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

const maxListedIssues = 10;

function invalid(step: string, issues: readonly Issue[], attempts: readonly InvalidAnswer[]): ValidationError {
  const listed = issues.slice(0, maxListedIssues);
  const message = listed.map((issue) => sentenceOf(issue, "message")).join("; ");
  const detail = listed.map((issue) => sentenceOf(issue, "detail")).join("; ");
  const fields = listed.map(({ path }) => path);
  return new ValidationError(step, message, detail, attempts, fields);
}

function sentenceOf(issue: Issue, wording: "message" | "detail"): string {
  return issue.path === "" ? issue[wording] : `${issue.path}: ${issue[wording]}`;
}
