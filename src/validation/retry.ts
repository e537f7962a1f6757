import { type InvalidAnswer, LLMEtlError } from "../errors/llm-etl-error.ts";
import { StepFailedError, ValidationError } from "../errors/step.ts";
import { textOf } from "../errors/error-text.ts";
import type { Conversation, ConversationAnswer, Prompt } from "../contracts/conversation.ts";
import type { ChatMessage } from "../contracts/provider.ts";
import type { Issue } from "./issues.ts";
import { withField } from "./kept-fields.ts";
import { repeatedReAsk } from "./repeated-re-ask.ts";
import { echoOf, type ReAskLine, reAskMessage } from "./re-ask-wording.ts";

/** The outcome of reading an answer: an output, or the issues. */
export type Reading<Output> =
  | {
      readonly valid: true;
      readonly output: Output;
      /** Fields that are null because what the model gave for them is invalid. @default none */
      readonly nullFields?: readonly string[] | undefined;
    }
  | { readonly valid: false; readonly issues: readonly Issue[] };

export interface AskUntilValidOptions<Output> {
  readonly step: string;
  readonly prompt: Prompt;
  readonly read: (answer: string) => Reading<Output>;
  /** The one field that the issues are about, where the others stay as they were. @default each answer stands alone */
  readonly soleFieldOf?: ((issues: readonly Issue[]) => string | undefined) | undefined;
  /** The issue of an answer that was cut off, where a longer one would have it, too: where `isHopeless` of the prompt is true. @default there is none */
  readonly flawOf?: ((cutAnswer: string) => Issue | undefined) | undefined;
  readonly conversation: Conversation;
  /** The most re-asks: 3 means one call and up to three more. */
  readonly maxRetries: number;
  /** Called for each of `nullFields` of the answer that is valid. */
  readonly onInvalidValue?: ((field: string) => void) | undefined;
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
    const first = replyOf(options, await options.conversation.ask(options.prompt, 0), undefined, attempts);
    return first.reading.valid ? outputOf(options, first.reading) : await askAgain(options, first, attempts);
  } catch (error) {
    // Answers that were paid for are kept, also when the last attempt brought none. A ValidationError has them.
    if (error instanceof LLMEtlError && error.scope === "row" && !(error instanceof ValidationError)) {
      error.withAttempts([...attempts, ...error.attempts]);
    }
    throw error;
  }
}

function outputOf<Output>(
  { onInvalidValue }: AskUntilValidOptions<Output>,
  { output, nullFields = [] }: Extract<Reading<Output>, { readonly valid: true }>,
): Output {
  for (const field of nullFields) onInvalidValue?.(field);
  return output;
}

/** Asks again until the answer is valid. It is a function of its own, for most rows need none of it. */
async function askAgain<Output>(
  options: AskUntilValidOptions<Output>,
  first: Reply<Output>,
  attempts: InvalidAnswer[],
): Promise<Output> {
  const { step, prompt, conversation, maxRetries, soleFieldOf } = options;
  let reply = first;
  let reAsk: ReAsk | undefined;
  let { temperature } = prompt;
  for (;;) {
    const { text, whole, flaw, reading } = reply;
    if (reading.valid) return outputOf(options, reading);
    const { issues } = reading;
    attempts.push({ answer: text, issues: issues.map((issue) => sentenceOf(issue, "detail")) });
    const isHopeless = text === reAsk?.text || issues.every(({ reAsk: line }) => line === null);
    if (attempts.length > maxRetries || isHopeless) throw invalid(step, issues, attempts);
    const field = flaw === undefined ? soleFieldOf?.(issues) : undefined;
    reAsk =
      flaw === undefined
        ? reAskOf({ ...prompt, temperature }, { text, whole, issues, field })
        : freshReAskOf(prompt, { text, whole: text, issues, field }, attempts.length + 1);
    ({ temperature } = reAsk.prompt); // else what is asked next brings the same answer again
    const answer = await conversation.ask(reAsk.prompt, reAsk.issueCount, reAsk.issueCodes);
    reply = replyOf(options, answer, reAsk, attempts);
  }
}

/** An invalid answer. */
interface Invalid {
  /** As it came. */
  readonly text: string;
  /** With the fields that stay as they were. */
  readonly whole: string;
  readonly issues: readonly Issue[];
  /** The one field that the next answer may change; undefined where it may change all. */
  readonly field: string | undefined;
}

/** The next question about it. */
interface ReAsk extends Pick<Invalid, "text" | "whole" | "field"> {
  readonly prompt: Prompt;
  readonly issueCount: number;
  readonly issueCodes: readonly string[];
  /** The sentences that the answer is not to repeat, a line each. */
  readonly message: string;
}

/** An answer, and what was read in it. */
interface Reply<Output> extends Pick<Invalid, "text" | "whole"> {
  /** Of one that was cut off. */
  readonly flaw: Issue | undefined;
  readonly reading: Reading<Output>;
}

/** Reads the reply to a re-ask, or to the first question. */
function replyOf<Output>(
  options: AskUntilValidOptions<Output>,
  { text, finishReason, isFormer = false }: ConversationAnswer,
  reAsk: ReAsk | undefined,
  attempts: InvalidAnswer[],
): Reply<Output> {
  const flaw = finishReason === "length" ? options.flawOf?.(text) : undefined;
  const given = isFormer ? undefined : reAsk; // answers of version 0.1 are read as it read them
  const whole = given?.field === undefined ? text : withField(given.whole, text, given.field);
  if (flaw !== undefined) return { text, whole, flaw, reading: { valid: false, issues: [flaw] } };
  const reading = readOrKeep(options, whole, attempts);
  if (!reading.valid || given === undefined) return { text, whole, flaw, reading };
  const issues = repeatedReAsk(whole, given.message);
  return { text, whole, flaw, reading: issues.length === 0 ? reading : { valid: false, issues } };
}

/** An answer that went wrong as a whole is asked for with these temperatures at least, one after the other: else it would come again. */
const flawedTemperatures = [0.7, 0.85, 1];

/** Only the last answer is shown, as it came, not the whole history: a request must not grow with every re-ask, nor be the one before. */
function reAskOf(prompt: Prompt, { text, whole, issues, field }: Invalid): ReAsk {
  const lines: ReAskLine[] = [];
  const olderLines: ReAskLine[] = [];
  for (const { path, detail, reAsk = detail, olderReAsk = reAsk } of issues) {
    if (reAsk !== null) lines.push({ path, line: reAsk });
    if (olderReAsk !== null) olderLines.push({ path, line: olderReAsk });
  }
  const messagesWith = (feedback: string): readonly ChatMessage[] => [
    ...prompt.messages,
    { role: "assistant", content: echoOf(text) },
    { role: "user", content: feedback },
  ];
  const [message, older] = [reAskMessage(lines, field), reAskMessage(olderLines)];
  const messages = messagesWith(message);
  const olderMessages = message === older ? undefined : messagesWith(older);
  const next = { ...prompt, messages, ...(olderMessages !== undefined && { olderMessages }) };
  const issueCodes = [...new Set(issues.map(({ code = "own" }) => code))];
  return { prompt: next, issueCount: issues.length, issueCodes, message, text, whole, field };
}

/**
 * Asks as if for the first time, with an advice among the instructions: a small model that is shown what went wrong goes on with it, or
 * writes about it. `attempt` counts from 1; it makes this request another one than those before.
 */
function freshReAskOf(prompt: Prompt, invalidAnswer: Invalid, attempt: number): ReAsk {
  const reAsk = reAskOf(prompt, invalidAnswer);
  const lines = invalidAnswer.issues.map(({ detail, reAsk: line }) => line ?? detail);
  const advice = `Attempt ${attempt}: ${lines.join("; ")}.`;
  const { temperature, messages } = prompt;
  const [first, ...others] = messages;
  const advised: readonly ChatMessage[] =
    first?.role === "system"
      ? [{ ...first, content: `${first.content}\n\n${advice}` }, ...others]
      : [{ role: "system", content: advice }, ...messages];
  const atLeast = flawedTemperatures[attempt - 2] ?? 1;
  const asked = temperature === undefined ? {} : { temperature: Math.max(atLeast, temperature) };
  const olderMessages = reAsk.prompt.olderMessages ?? reAsk.prompt.messages;
  return {
    ...reAsk,
    prompt: { ...reAsk.prompt, ...asked, messages: advised, olderMessages },
    message: lines.join("\n"),
  };
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
