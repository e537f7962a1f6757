import type { LLMResponse } from "../../contracts/provider.ts";
import type { Admission } from "../limits/admission.ts";
import { estimatedInputTokens } from "../token-usage.ts";
import { Again } from "./retried.ts";
import type { RowLayer } from "./row-call.ts";

/** Lets an attempt wait until it may go, and says what becomes of it when it has failed. */
export function admitted(admission: Pick<Admission, "enter">): RowLayer {
  return (next) => async (call) => {
    const { messages, maxOutputTokens, lengthFactor = 1 } = call.request;
    const { maxReasoningTokens = 0, tierFallbackMs } = call.provider;
    const outputTokens = maxOutputTokens + maxReasoningTokens * lengthFactor;
    if (tierFallbackMs !== undefined) call.tierWait ??= { enteredMs: call.waitsSinceMs ?? 0 };
    const { tierWait } = call;
    const pass = await admission.enter(
      { tokens: estimatedInputTokens(messages) + outputTokens, tierWait },
      call.signal,
    );
    let answer: LLMResponse;
    try {
      answer = await next(call);
    } catch (error) {
      const verdict = pass.end({ error, isRefuted: call.isRefuted?.() });
      if (verdict.type === "again") throw new Again(verdict);
      throw verdict.type === "fail" ? verdict.error : error;
    }
    pass.end({ answer });
    return answer;
  };
}
