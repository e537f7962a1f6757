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

/** The text of the answer. */
async function complete(pool: Pool, body: string): Promise<string> {
  for (let retry = 0; ; retry += 1) {
    let waitMs = Math.random() * 500 * 2 ** retry;
    try {
      const answer = await pool.request({ path, method: "POST", headers, body });
      const text = await answer.body.text();
      if (answer.statusCode === 200) return JSON.parse(text).choices[0].message.content;
      if (answer.statusCode !== 429 && answer.statusCode < 500) throw new RefusedError(answer.statusCode);
      if (retry === maxTransportRetries) throw new RefusedError(answer.statusCode);
      waitMs = Number(answer.headers["retry-after-ms"] ?? waitMs);
    } catch (error) {
      if (error instanceof RefusedError || retry === maxTransportRetries) throw error;
    }
    await setTimeout(waitMs);
  }
}

class RefusedError extends Error {
  constructor(status: number) {
    super(`the service answered ${status}`);
  }
}
