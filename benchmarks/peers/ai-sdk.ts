/**
 * The Vercel AI SDK with its Azure provider and `Output.object`, its own retries on. It is given the JSON Schema and Zod for the
 * validation, by its `jsonSchema()`: the one that it makes of Zod keeps `minimum`, which Azure refuses.
 */
import { createAzure } from "@ai-sdk/azure";
import { generateText, jsonSchema, NoObjectGeneratedError, Output } from "ai";
import type { z } from "zod";
import { type Job, maxTransportRetries, type Outcome } from "../tools/tool.ts";
import { Classification, type Question, Summary, userMessage } from "../workload/task.ts";
import { untilValid } from "../workload/until-valid.ts";
import { enrichAll } from "./rows.ts";

export async function run(job: Job): Promise<Outcome> {
  const { endpoint, deployment, questions } = job;
  const model = createAzure({ baseURL: `${endpoint}/openai/v1`, apiKey: "key" }).chat(deployment);

  function asking<Schema extends z.ZodObject>(question: Question, schema: Schema) {
    const { name, system: instructions, maxOutputTokens } = question;
    const output = Output.object({
      name,
      schema: jsonSchema<z.output<Schema>>(question.schema, {
        validate: (value) => {
          const { success, data, error } = schema.safeParse(value);
          return success ? { success, value: data } : { success: false, error };
        },
      }),
    });
    return async (prompt: string): Promise<z.output<Schema>> => {
      const answer = await untilValid(
        async () =>
          await generateText({
            model,
            instructions,
            prompt,
            output,
            maxOutputTokens,
            temperature: 0,
            maxRetries: maxTransportRetries,
          }),
        (error) => NoObjectGeneratedError.isInstance(error),
      );
      return answer.output;
    };
  }

  const classify = asking(questions.classify, Classification);
  const summarize = asking(questions.summarize, Summary);
  return await enrichAll(job, async ({ id, note }) => {
    const { category, confidence } = await classify(userMessage(note));
    const { text } = await summarize(userMessage(note, category));
    return { id, category, confidence, summary: text };
  });
}
