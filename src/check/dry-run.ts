import type { Lineage } from "../contracts/state.ts";
import type { Conversation, Prompt } from "../contracts/conversation.ts";
import type { LLMResponse } from "../contracts/provider.ts";
import { AnswerSampler } from "../llm/mock/sample-answer.ts";

const sampler = new AnswerSampler(1); // the mock provider's own seed

/** What a model could have answered to a prompt: made up here, as the mock provider does. */
export function sampleResponse({ messages, schema, limitedSchema = schema.json }: Prompt): LLMResponse {
  const usage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0 };
  return { text: JSON.stringify(sampler.answer(messages, limitedSchema)), finishReason: "stop", model: "mock", usage };
}

/** Takes a model's place, so that a step shows what it would ask. No call is made. */
export class Rehearsal implements Conversation {
  readonly retryCount = 0;
  readonly lineage: Lineage | null = null;
  #prompt: Prompt | undefined;

  /** The first prompt; undefined where the step asked nothing. */
  get prompt(): Prompt | undefined {
    return this.#prompt;
  }

  readonly ask = async (prompt: Prompt): Promise<LLMResponse> => {
    this.#prompt ??= prompt;
    return await Promise.resolve(sampleResponse(prompt));
  };
}
