/**
 * Both questions as llm-etl's steps render them. The other tools are handed these texts and schemas, so that all send
 * the same prompts: the tokens that the simulator counts show that they do.
 */
import type { Prompt } from "llm-etl";
import { classifier, summarizer } from "./steps.ts";
import { categories, type Question, type Questions } from "./task.ts";

export function makeQuestions(): Questions {
  const raw = { note: "A note." };
  const processed = { visit: { category: categories[0].name } };
  return {
    classify: toQuestion(classifier.render({ raw })),
    summarize: toQuestion(summarizer.render({ raw, processed })),
  };
}

function toQuestion({ messages, schema, maxOutputTokens }: Prompt): Question {
  const system = messages.find(({ role }) => role === "system")?.content ?? "";
  return { name: schema.name, system, schema: { ...schema.json }, maxOutputTokens };
}
