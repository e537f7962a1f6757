import { type CallOutcome, type Limiter, noEvents } from "./limiter.ts";

/** The limit falls by this factor when the service is overloaded, at most once in `backOffEveryMs`. */
const backOffFactor = 0.7;
const backOffEveryMs = 1000;

export interface ConcurrencyOptions {
  /** The most calls in flight. */
  readonly most: number;
  /** True where the failure that came last has another cause than too many calls in flight. */
  readonly isExplained: () => boolean;
}

/** Limits the calls in flight: additive increase with answers, multiplicative decrease when the service is overloaded. */
export function concurrency({ most, isExplained }: ConcurrencyOptions): Limiter {
  let limit = most;
  let reported = most;
  let inFlight = 0;
  let backedOffAtMs = -Infinity;
  let hasAnswered = false;

  const grow = ({ rateLimit = {} }: CallOutcome & { type: "answer" }, tokens: number): void => {
    if (!hasAnswered) {
      hasAnswered = true;
      const { remainingRequests = Infinity, remainingTokens = Infinity } = rateLimit;
      limit = Math.max(1, Math.min(limit, remainingRequests, Math.floor(remainingTokens / tokens)));
    }
    // A round is as many successes as the limit: it adds a tenth, or 1.
    limit = Math.min(most, limit + Math.max(1, limit / 10) / limit);
  };

  const backOff = (nowMs: number): void => {
    if (nowMs - backedOffAtMs < backOffEveryMs) return;
    backedOffAtMs = nowMs;
    limit = Math.max(1, limit * backOffFactor);
  };

  const whole = (): number => Math.max(1, Math.floor(limit));

  return {
    waitMs: () => (inFlight >= whole() ? Infinity : 0),
    started: () => {
      inFlight += 1;
    },
    ended: (outcome, { tokens }, nowMs) => {
      inFlight -= 1;
      if (outcome.type === "answer") grow(outcome, tokens);
      else if (isOverload(outcome) && !isExplained()) backOff(nowMs);
      if (whole() === reported) return noEvents;
      reported = whole();
      return [{ type: "limit", limit: reported }];
    },
  };
}

function isOverload(outcome: CallOutcome): boolean {
  return outcome.type === "failure" && (outcome.kind === "rate-limit" || outcome.kind === "overload");
}
