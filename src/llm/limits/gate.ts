import { type CallOutcome, type LimitEvent, type Limiter, noEvents } from "./limiter.ts";

/** A 429 that does not say how long to wait closes the gate for this long, doubled with each one in a row. */
const unknownWaitMs = 1000;
const longestUnknownWaitMs = 60_000;

/** Holds all calls back for as long as the service asks. A 429 uses up no retry: its call waits here. */
export function gate(): Limiter {
  let closedUntilMs = 0;
  let rateLimitsInARow = 0;

  const waitAfter = ({ kind, retryAfterMs }: CallOutcome & { type: "failure" }): number => {
    if (kind !== "rate-limit") return retryAfterMs ?? 0;
    rateLimitsInARow += 1;
    const doubled = unknownWaitMs * 2 ** Math.min(10, rateLimitsInARow - 1);
    return retryAfterMs ?? Math.min(longestUnknownWaitMs, doubled);
  };

  return {
    waitMs: (_, nowMs) => Math.max(0, closedUntilMs - nowMs),
    started: () => {},
    ended: (outcome, _, nowMs) => {
      if (outcome.type === "answer") rateLimitsInARow = 0;
      if (outcome.type !== "failure") return noEvents;
      const durationMs = waitAfter(outcome);
      const events: LimitEvent[] = [];
      if (durationMs > 0) {
        closedUntilMs = Math.max(closedUntilMs, nowMs + durationMs);
        events.push({ type: "pause", reason: "rate_limit", durationMs });
      }
      if (outcome.kind === "rate-limit") events.push({ type: "again", afterMs: 0 });
      return events;
    },
  };
}
