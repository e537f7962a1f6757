/**
 * The official SDK, pointed at the v1 API as Microsoft documents it, its own retries on. The answer is parsed and validated
 * here: the SDK's `parse` would do the same and cost more, and its `zodResponseFormat` keeps `minimum`, which Azure refuses.
 */
import OpenAI from "openai";
import { ZodError } from "zod";
import { type Job, maxTransportRetries, type Outcome } from "../tools/tool.ts";
import { Classification, type Question, Summary, userMessage } from "../workload/task.ts";
import { untilValid } from "../workload/until-valid.ts";
import { enrichAll } from "./rows.ts";

export async function run(job: Job): Promise<Outcome> {
  const { endpoint, deployment, questions } = job;
  const client = new OpenAI({ baseURL: `${endpoint}/openai/v1/`, apiKey: "key", maxRetries: maxTransportRetries });

  async function ask({ name, system, schema, maxOutputTokens }: Question, user: string): Promise<unknown> {
    const completion = await client.chat.completions.create({
      model: deployment,
      messages: [
        { role: "system", content: system },
        { role: "user", content: user },
      ],
      response_format: { type: "json_schema", json_schema: { name, strict: true, schema } },
      max_completion_tokens: maxOutputTokens,
      temperature: 0,
    });
    return JSON.parse(completion.choices[0]?.message.content ?? "");
  }

  return await enrichAll(job, async ({ id, note }) => {
    const { category, confidence } = await untilValid(
      async () => Classification.parse(await ask(questions.classify, userMessage(note))),
      isInvalid,
    );
    const { text } = await untilValid(
      async () => Summary.parse(await ask(questions.summarize, userMessage(note, category))),
      isInvalid,
    );
    return { id, category, confidence, summary: text };
  });
}

function isInvalid(error: unknown): boolean {
  return error instanceof SyntaxError || error instanceof ZodError;
}
