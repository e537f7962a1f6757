import { resolveAdmission } from "../../src/llm/limits/options.ts";
import { Budget } from "../../src/llm/call/budget.ts";
import { LLMClient, type LLMClientOptions } from "../../src/llm/call/client.ts";

/** A client without limits, but for what a test gives; retries follow at once. */
export function clientWith(options: Partial<LLMClientOptions> = {}): LLMClient {
  return new LLMClient({
    pipeline: "test",
    concurrency: 32,
    admission: resolveAdmission({ retryDelayMs: [0, 0] }),
    budget: new Budget({ maxCalls: Infinity, maxCost: Infinity }),
    payloadLog: undefined,
    journal: undefined,
    emit: () => {},
    ...options,
  });
}
