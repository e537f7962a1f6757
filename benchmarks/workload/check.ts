/** Whether a tool's result is right: every row there once, with the answers that the simulator gives to its prompts. */
import { MockProvider } from "llm-etl/llm/providers/mock";
import { readResult } from "./csv.ts";
import { noteOf, numberOf } from "./notes.ts";
import { Classification, type Question, type Questions, Summary, userMessage } from "./task.ts";

export interface Correctness {
  readonly written: number;
  /** Rows of the source that are not in the result. */
  readonly lost: number;
  readonly duplicated: number;
  /** Of the rows that were looked at, those with another answer than the model's. */
  readonly wrong: number;
}

/** Larger results are looked at in part; that every row is there once is checked all the same. */
const mostLookedAt = 10_000;

export async function checkResult(path: string, rows: number, questions: Questions): Promise<Correctness> {
  const seen = new Uint8Array(rows + 1);
  const every = Math.ceil(rows / mostLookedAt);
  let written = 0;
  let duplicated = 0;
  let wrong = 0;
  for await (const { id = "", category, confidence, summary } of readResult(path)) {
    written += 1;
    const number = numberOf(id);
    if (!(number >= 1 && number <= rows)) {
      wrong += 1;
      continue;
    }
    if (seen[number] === 1) duplicated += 1;
    seen[number] = 1;
    if (number % every === 0 && textOf(category, confidence, summary) !== (await expected(number, questions)))
      wrong += 1;
  }
  const found = seen.reduce((sum, one) => sum + one, 0);
  return { written, lost: rows - found, duplicated, wrong };
}

// The mock provider makes the simulator's answers: both are decided by seed, messages and schema.
const model = new MockProvider();
const known = new Map<number, string>();

async function expected(number: number, questions: Questions): Promise<string> {
  const remembered = known.get(number);
  if (remembered !== undefined) return remembered;
  const { note } = noteOf(number);
  const { category, confidence } = Classification.parse(await answerTo(questions.classify, userMessage(note)));
  const { text } = Summary.parse(await answerTo(questions.summarize, userMessage(note, category)));
  const result = textOf(category, String(confidence), text);
  known.set(number, result);
  return result;
}

async function answerTo({ name, system, schema, maxOutputTokens }: Question, user: string): Promise<unknown> {
  const request = {
    messages: [
      { role: "system" as const, content: system },
      { role: "user" as const, content: user },
    ],
    schema: { name, json: schema },
    maxOutputTokens,
    cacheKey: "check",
  };
  const { text } = await model.complete(request, new AbortController().signal);
  return JSON.parse(text);
}

function textOf(...cells: readonly (string | undefined)[]): string {
  return JSON.stringify(cells);
}
