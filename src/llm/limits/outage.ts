import { type CallOutcome, type LimitEvent, type Limiter, noEvents } from "./limiter.ts";
import type { ResolvedAdmissionOptions } from "./options.ts";

type OutageOptions = Pick<ResolvedAdmissionOptions, "outageFailures" | "probeDelayMs" | "stallTimeoutMs">;

/** True for the failure of a row of its own, and for a tier without room: the service is there. */
function hasReplied(outcome: CallOutcome): boolean {
  return outcome.type === "other"
    ? outcome.isOfRow === true
    : outcome.type === "failure" && outcome.kind === "capacity";
}

/** A service that rejects what is too much with a 503 gives answers in between, within so many milliseconds. */
const burstMs = 2000;

/**
 * Lets single calls go as probes while the service is down, further and further apart: failures then use up no retry.
 * A wait that the service asks for holds its own call back, and all of them while the service is down. The run ends if no call
 * succeeds for the stall timeout, also while all of them only wait.
 */
export function outage({ outageFailures, probeDelayMs: [shortest, longest], stallTimeoutMs }: OutageOptions): Limiter {
  let inFlight = 0;
  let failuresInARow = 0;
  let probeDelayMs = 0; // above 0 while the service is down
  let pausedUntilMs = 0;
  let stallingSinceMs: number | undefined;

  const recovered = (): readonly LimitEvent[] => {
    const wasDown = probeDelayMs > 0;
    failuresInARow = 0;
    probeDelayMs = 0;
    stallingSinceMs = undefined;
    return wasDown ? [{ type: "limit", limit: Infinity }] : noEvents;
  };

  /** True if the next probe goes later. A rate limit is no failure of the service, nor is a burst of 503s, nor what other calls refuted. */
  const isWorse = (outcome: CallOutcome & { type: "failure" }, nowMs: number): boolean => {
    const { kind, retryAfterMs = 0, isRefuted = false } = outcome;
    if (kind === "rate-limit" || (isRefuted && probeDelayMs === 0)) return false;
    const isBurst = kind === "overload" && nowMs - (stallingSinceMs ?? nowMs) < burstMs;
    if (isBurst) return false;
    failuresInARow += 1;
    if (failuresInARow < outageFailures) return false;
    if (probeDelayMs === 0) return true;
    // Others were in flight before the service went down; and where the service says how long to wait, that holds.
    return pausedUntilMs <= nowMs && retryAfterMs <= 0;
  };

  const failed = (outcome: CallOutcome & { type: "failure" }, nowMs: number): readonly LimitEvent[] => {
    stallingSinceMs ??= nowMs;
    if (nowMs - stallingSinceMs > stallTimeoutMs) return [{ type: "stalled", durationMs: stallTimeoutMs }];
    const events: LimitEvent[] = [];
    const { kind, retryAfterMs = 0 } = outcome;
    const askedMs = kind === "rate-limit" ? 0 : retryAfterMs;
    if (askedMs > 0) events.push({ type: "delay", afterMs: askedMs });
    if (isWorse(outcome, nowMs)) {
      if (probeDelayMs === 0) events.push({ type: "limit", limit: 1 });
      probeDelayMs = Math.min(longest, Math.max(shortest, 2 * probeDelayMs));
      pausedUntilMs = Math.max(pausedUntilMs, nowMs + probeDelayMs);
      events.push({ type: "pause", reason: "outage", durationMs: probeDelayMs });
    }
    if (probeDelayMs > 0) {
      events.push({ type: "again", afterMs: 0 });
      pausedUntilMs = Math.max(pausedUntilMs, nowMs + askedMs);
    }
    return events;
  };

  return {
    waitMs: (_, nowMs) => (probeDelayMs > 0 && inFlight > 0 ? Infinity : Math.max(0, pausedUntilMs - nowMs)),
    started: () => {
      inFlight += 1;
    },
    ended: (outcome, _, nowMs) => {
      inFlight -= 1;
      if (outcome.type === "answer") return recovered();
      if (hasReplied(outcome)) stallingSinceMs = undefined;
      else if (outcome.type === "failure") return failed(outcome, nowMs);
      return noEvents;
    },
    stall: () => {
      if (stallingSinceMs === undefined || inFlight > 0) return undefined;
      return { atMs: stallingSinceMs + stallTimeoutMs, durationMs: stallTimeoutMs };
    },
  };
}
