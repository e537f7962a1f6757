/**
 * What somebody writes who wants nothing but speed: a pool of connections, a loop for each row in flight, retries, JSON.parse,
 * Zod. No journal, no log, no shared gate, no resume, no limits learnt from a target.
 */
import { setTimeout } from "node:timers/promises";
import { Pool } from "undici";
import { ZodError } from "zod";
import { readNotes, ResultFile } from "../workload/csv.ts";
import type { Note } from "../workload/notes.ts";
import { Classification, type Enriched, type Question, Summary, userMessage } from "../workload/task.ts";
import { untilValid } from "../workload/until-valid.ts";
import { Failures, type Job, maxTransportRetries, type Outcome } from "./tool.ts";

export async function run(job: Job): Promise<Outcome> {
  const pool = new Pool(job.endpoint, { connections: job.concurrency });
  const result = new ResultFile(job.output);
  const failures = new Failures();
  const notes = readNotes(job.input)[Symbol.asyncIterator]();
  const worker = async (): Promise<void> => {
    for (;;) {
      const { done, value } = await notes.next();
      if (done === true) return;
      try {
        await result.write(await enrich(job, pool, value));
      } catch (error) {
        failures.add(error);
      }
    }
  };
  await Promise.all(Array.from({ length: job.concurrency }, worker));
  await result.close();
  await pool.close();
  return failures.outcome();
}

async function enrich({ questions, deployment }: Job, pool: Pool, { id, note }: Note): Promise<Enriched> {
  const ask = async (question: Question, user: string): Promise<unknown> =>
    JSON.parse(await complete(pool, bodyOf(question, user, deployment)));
  const { category, confidence } = await untilValid(
    async () => Classification.parse(await ask(questions.classify, userMessage(note))),
    isInvalid,
  );
  const { text } = await untilValid(
    async () => Summary.parse(await ask(questions.summarize, userMessage(note, category))),
    isInvalid,
  );
  return { id, category, confidence, summary: text };
}

function isInvalid(error: unknown): boolean {
  return error instanceof SyntaxError || error instanceof ZodError;
}

function bodyOf({ name, system, schema, maxOutputTokens }: Question, user: string, model: string): string {
  return JSON.stringify({
    model,
    messages: [
      { role: "system", content: system },
      { role: "user", content: user },
    ],
    response_format: { type: "json_schema", json_schema: { name, strict: true, schema } },
    max_completion_tokens: maxOutputTokens,
    temperature: 0,
  });
}

const path = "/openai/v1/chat/completions";
const headers = { "content-type": "application/json", "api-key": "key" };

/** The text of the answer. A 429 is waited for as told, and as often as it comes; a 5xx or a reset is tried again five times. */
async function complete(pool: Pool, body: string): Promise<string> {
  let retries = 0;
  for (let rateLimits = 0; ;) {
    let waitMs = backoffMs(retries);
    try {
      const answer = await pool.request({ path, method: "POST", headers, body });
      const text = await answer.body.text();
      const { statusCode } = answer;
      if (statusCode === 200) return JSON.parse(text).choices[0].message.content;
      if (statusCode !== 429 && statusCode < 500) throw new RefusedError(statusCode);
      waitMs = toldMs(answer.headers) ?? backoffMs(statusCode === 429 ? rateLimits : retries);
      if (statusCode === 429) rateLimits += 1;
      else if (retries === maxTransportRetries) throw new RefusedError(statusCode);
      else retries += 1;
    } catch (error) {
      if (error instanceof RefusedError || retries === maxTransportRetries) throw error;
      retries += 1;
    }
    await setTimeout(waitMs);
  }
}

function backoffMs(tries: number): number {
  return Math.random() * Math.min(30_000, 500 * 2 ** tries);
}

/** The wait that the service names; undefined for none. */
function toldMs(named: Readonly<Record<string, string | string[] | undefined>>): number | undefined {
  const milliseconds = Number(named["retry-after-ms"] ?? Number.NaN);
  if (milliseconds >= 0) return milliseconds;
  const seconds = Number(named["retry-after"] ?? Number.NaN);
  return seconds >= 0 ? seconds * 1000 : undefined;
}

class RefusedError extends Error {
  constructor(status: number) {
    super(`the service answered ${status}`);
  }
}
