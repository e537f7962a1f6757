import type { Conversation, Prompt } from "../contracts/conversation.ts";
import type { LLMResponse } from "../contracts/provider.ts";
import type { Lineage } from "../contracts/state.ts";
import { CallConversation, type ConversationOptions } from "../llm/call/conversation.ts";
import type { RowAsk } from "../llm/call/row-call.ts";
import { AnswerSampler } from "../llm/mock/sample-answer.ts";

const sampler = new AnswerSampler(1); // the mock provider's own seed

/** Makes up what a model could have answered, as the mock provider does. No call is made. */
const sample: RowAsk = async ({ request: { messages, schema }, limitedSchema = schema.json }) => {
  const usage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0 };
  const text = JSON.stringify(sampler.answer(messages, limitedSchema));
  return await Promise.resolve({ text, finishReason: "stop", model: "mock", usage });
};

export type DryRunOptions = Omit<ConversationOptions, "ask" | "answers">;

/** Takes a model's place, so that a step shows what it would ask: a call without any layer, whose answer is made up. */
export class DryRun implements Conversation {
  readonly retryCount = 0;
  readonly lineage: Lineage | null = null;
  readonly #conversation: Conversation;
  #prompt: Prompt | undefined;

  constructor(options: DryRunOptions) {
    this.#conversation = new CallConversation({ ...options, ask: sample });
  }

  /** The first prompt; undefined where the step asked nothing. */
  get prompt(): Prompt | undefined {
    return this.#prompt;
  }

  readonly ask = async (prompt: Prompt, issueCount: number): Promise<LLMResponse> => {
    this.#prompt ??= prompt;
    return await this.#conversation.ask(prompt, issueCount);
  };
}
