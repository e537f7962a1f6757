import { type InvalidAnswer, LLMEtlError } from "../errors/llm-etl-error.ts";
import { StepFailedError, ValidationError } from "../errors/step.ts";
import { textOf } from "../errors/error-text.ts";
import type { Conversation, Prompt } from "../contracts/conversation.ts";
import type { ChatMessage } from "../contracts/provider.ts";
import type { Issue } from "./issues.ts";
import { echoOf, type ReAskLine, reAskMessage } from "./re-ask-wording.ts";

/** The outcome of reading an answer: an output, or the issues. */
export type Reading<Output> =
  | { readonly valid: true; readonly output: Output }
  | { readonly valid: false; readonly issues: readonly Issue[] };

export interface AskUntilValidOptions<Output> {
  readonly step: string;
  readonly prompt: Prompt;
  readonly read: (answer: string) => Reading<Output>;
  /** The issue of an answer that was cut off, where a longer one would have it, too. @default there is none */
  readonly flawOf?: ((cutAnswer: string) => Issue | undefined) | undefined;
  readonly conversation: Conversation;
  /** The most re-asks: 3 means one call and up to three more. */
  readonly maxRetries: number;
}

/**
 * Asks, and asks again with the reasons, until the answer is valid. It stops early when the model gives the identical answer
 * again, and when none of the issues is one that another answer could do away with.
 *
 * @throws {ValidationError} with the issues of the last answer, and all answers
 * @throws {StepFailedError} if reading an answer throws. Errors of the conversation pass through. Each has the answers so far.
 */
export async function askUntilValid<Output>(options: AskUntilValidOptions<Output>): Promise<Output> {
  const attempts: InvalidAnswer[] = [];
  try {
    return await askOn(options, attempts);
  } catch (error) {
    // Answers that were paid for are kept, also when the last attempt brought none. A ValidationError has them.
    if (error instanceof LLMEtlError && error.scope === "row" && !(error instanceof ValidationError)) {
      error.withAttempts([...attempts, ...error.attempts]);
    }
    throw error;
  }
}

async function askOn<Output>(options: AskUntilValidOptions<Output>, attempts: InvalidAnswer[]): Promise<Output> {
  const { step, conversation, maxRetries, flawOf } = options;
  const prompt: Prompt =
    flawOf === undefined ? options.prompt : { ...options.prompt, isHopeless: (cut) => flawOf(cut) !== undefined };
  let request = prompt;
  let issueCount = 0;
  let before: string | undefined;
  for (;;) {
    const { text, finishReason } = await conversation.ask(request, issueCount);
    const flaw = finishReason === "length" ? flawOf?.(text) : undefined;
    const reading =
      flaw === undefined ? readOrKeep(options, text, attempts) : { valid: false as const, issues: [flaw] };
    if (reading.valid) return reading.output;
    attempts.push({ answer: text, issues: reading.issues.map((issue) => sentenceOf(issue, "detail")) });
    const isHopeless = text === before || reading.issues.every(({ reAsk }) => reAsk === null);
    if (attempts.length > maxRetries || isHopeless) throw invalid(step, reading.issues, attempts);
    request = flaw === undefined ? reAskOf(prompt, text, reading.issues) : freshReAskOf(prompt, text, flaw);
    issueCount = reading.issues.length;
    before = text;
  }
}

/** An answer that went wrong as a whole is asked for with this temperature at least, and so many of its characters are shown: else it would come again. */
const flawedTemperature = 0.7;
const shownOfFlawed = 20;

/** Only the last answer is shown, not the whole history: a request must not grow with every re-ask. */
function reAskOf(prompt: Prompt, answer: string, issues: readonly Issue[]): Prompt {
  const lines: ReAskLine[] = [];
  const olderLines: ReAskLine[] = [];
  for (const { path, detail, reAsk = detail, olderReAsk = reAsk } of issues) {
    if (reAsk !== null) lines.push({ path, line: reAsk });
    if (olderReAsk !== null) olderLines.push({ path, line: olderReAsk });
  }
  const messagesWith = (feedback: string): readonly ChatMessage[] => [
    ...prompt.messages,
    { role: "assistant", content: echoOf(answer) },
    { role: "user", content: feedback },
  ];
  const [feedback, older] = [reAskMessage(lines), reAskMessage(olderLines)];
  const messages = messagesWith(feedback);
  return { ...prompt, messages, ...(feedback === older ? {} : { olderMessages: messagesWith(older) }) };
}

function freshReAskOf(prompt: Prompt, answer: string, flaw: Issue): Prompt {
  const reAsk = reAskOf(prompt, answer.slice(0, shownOfFlawed), [flaw]);
  if (prompt.temperature === undefined) return reAsk;
  return { ...reAsk, temperature: Math.max(flawedTemperature, prompt.temperature) };
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
  const fields = listed.map(({ path, shownPath = path }) => shownPath);
  return new ValidationError(step, message, detail, attempts, fields);
}

function sentenceOf(issue: Issue, wording: "message" | "detail"): string {
  const { path, shownPath = path } = issue;
  const shown = wording === "message" ? shownPath : path;
  return shown === "" ? issue[wording] : `${shown}: ${issue[wording]}`;
}
