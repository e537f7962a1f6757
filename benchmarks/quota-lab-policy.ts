import { defaultLimits } from "../src/llm/limits/default-limits.ts";
import type { CallOutcome } from "../src/llm/limits/limiter.ts";
import { resolveAdmission } from "../src/llm/limits/options.ts";
import type { LabOutcome, MakePolicy } from "../tests/support/quota-lab/policy.ts";

/** The project's limiters as a policy of a laboratory for limiters: nothing is added, but for the backoff of `retried`. */
export const ours: MakePolicy = ({ concurrency, timeoutMs, random }) => {
  const options = resolveAdmission();
  const limits = defaultLimits({ concurrency, timeoutMs, random, quota: {}, options });
  const [shortestMs, longestMs] = options.retryDelayMs;
  return {
    waitMs: (call, nowMs) => Math.max(...limits.map((limiter) => limiter.waitMs(call, nowMs))),
    started: (call, nowMs) => limits.forEach((limiter) => limiter.started(call, nowMs)),
    ended: (call, outcome, nowMs) => {
      const events = limits.flatMap((limiter) => limiter.ended(outcomeOf(outcome), call, nowMs));
      if (outcome.ok) return {};
      const delays = events.map((event) => (event.type === "again" || event.type === "delay" ? event.afterMs : 0));
      const free = events.some(({ type }) => type === "again");
      const backOffMs = free ? 0 : random() * Math.min(longestMs, shortestMs * 2 ** call.tries);
      return { again: Math.max(backOffMs, ...delays), free };
    },
  };
};

function outcomeOf({ ok, status, retryAfterMs }: LabOutcome): CallOutcome {
  if (ok) return { type: "answer" };
  const kind = status === 429 ? "rate-limit" : status === 503 ? "overload" : status === 0 ? "timeout" : "server";
  return { type: "failure", kind, retryAfterMs };
}
