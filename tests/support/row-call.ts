import type { LLMResponse } from "../../src/contracts/provider.ts";
import type { RowCall } from "../../src/llm/call/row-call.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";

const usage = { inputTokens: 10, cachedTokens: 4, outputTokens: 3, reasoningTokens: 1 };

/** An answer that keeps the contract. */
export const answer: LLMResponse = { text: "{}", finishReason: "stop", model: "mock", usage, requestId: "r1" };

const provider = new MockProvider();

/** The first call of a row, as a conversation makes it. */
export function rowCall(changes: Partial<RowCall> = {}): RowCall {
  return {
    step: "s",
    pk: "1",
    provider,
    signal: new AbortController().signal,
    request: {
      messages: [{ role: "user", content: "a row" }],
      schema: { name: "out", json: { type: "object" } },
      maxOutputTokens: 100,
      cacheKey: "key",
    },
    promptHash: "abc",
    limitedSchema: undefined,
    issueCount: 0,
    answered: undefined,
    reports: [],
    row: { callCount: 0, ended: [], fingerprints: [], used: [], replaced: new Map(), isFormer: false, cutAnswers: [] },
    ...changes,
  };
}
