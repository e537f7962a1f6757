import { TransientMap } from "../../engine/transient-map.ts";
import { type CallOutcome, type CallSize, isRejection, type LimitEvent, type Limiter, noEvents } from "./limiter.ts";
import { Slots } from "./slots.ts";

/** Calls in flight before the first answer. */
const firstLimit = 8;

/** An overloaded service turns away so large a share of the newest calls; the limit falls by this factor, at most so often. */
const overloadShare = 0.2;
const overloadCalls = 20;
const backOffFactor = 0.7;
const backOffEveryMs = 1000;

/** The answers by which the speed of the service is judged. */
const judgedAnswers = 64;

export interface ConcurrencyOptions {
  /** The most calls in flight. */
  readonly most: number;
  /** The time that a call may take, in milliseconds. */
  readonly timeoutMs: number;
  /** A number from 0 up to, but not including, 1. */
  readonly random: () => number;
}

/**
 * Limits the calls in flight to what the service works on. It begins with some, for a server of one's own may have one slot;
 * each answer lets one more in, or as many as are answered in half a time limit. Where answers take longer the more calls are in
 * flight, calls wait in a queue of the server, and no more of them go than it answers in half a time limit. A service that takes
 * so many calls at a time is found out by its 429s and 503s; where many calls are turned away as overload, fewer go.
 */
export function concurrency({ most, timeoutMs, random }: ConcurrencyOptions): Limiter {
  const slots = new Slots();
  const speed = new AnswerSpeed(timeoutMs);
  const sent = new TransientMap<CallSize, { readonly atMs: number; readonly others: number }>();
  let limit = Math.min(most, firstLimit);
  let quickestMs = Infinity;
  let overload = 0; // a mean of the newest calls
  let backedOffAtMs = -Infinity;
  let hasFallen = false;
  let reported = most;

  const whole = (): number => Math.max(1, Math.floor(Math.min(limit, slots.limit)));

  /** Lowers the limit. The one that it begins with is no news. */
  const fall = (to: number): void => {
    limit = Math.max(1, to);
    hasFallen = true;
  };

  const answered = (tookMs: number, nowMs: number): void => {
    quickestMs = Math.min(1.001 * quickestMs, tookMs); // it is forgotten slowly: the service may have changed
    speed.add(nowMs);
    const bound = speed.withinTimeLimit(nowMs) / 2;
    const isQueuing = tookMs > timeoutMs / 8 && tookMs > 2 * quickestMs;
    if (backedOffAtMs !== -Infinity) limit = Math.min(most, limit + Math.max(1, limit / 10) / limit);
    else if (!isQueuing) limit = Math.min(most, Math.max(limit + 1, bound * speed.certainty));
    else if (limit > bound) fall(bound);
    else limit = Math.min(most, limit + 1 / limit);
  };

  /** A call that timed out waited in the server's queue if it has more calls than it answers: that uses up no retry. */
  const timedOut = (nowMs: number): readonly LimitEvent[] => {
    const bound = speed.withinTimeLimit(nowMs) / 4;
    if (quickestMs === Infinity || limit <= Math.max(1, bound)) return noEvents;
    fall(bound);
    return [{ type: "again", afterMs: 1000 * random() }];
  };

  const overloaded = (isOverload: boolean, nowMs: number): void => {
    overload += ((isOverload ? 1 : 0) - overload) / overloadCalls;
    if (!isOverload || overload < overloadShare || nowMs - backedOffAtMs < backOffEveryMs) return;
    backedOffAtMs = nowMs;
    fall(limit * backOffFactor);
  };

  const noted = (outcome: CallOutcome, call: CallSize, nowMs: number): readonly LimitEvent[] => {
    const { atMs, others } = sent.get(call) ?? { atMs: nowMs, others: 0 };
    sent.delete(call);
    if (outcome.type === "answer") {
      overloaded(false, nowMs);
      slots.accepted(others);
      answered(nowMs - atMs, nowMs);
    } else if (outcome.type === "failure") {
      if (isRejection(outcome)) slots.rejected(others);
      if (outcome.kind === "overload") overloaded(true, nowMs);
      if (outcome.kind === "timeout") return timedOut(nowMs);
    }
    return noEvents;
  };

  return {
    waitMs: () => (sent.size >= whole() ? Infinity : 0),
    started: (call, nowMs) => {
      speed.started(nowMs);
      sent.set(call, { atMs: nowMs, others: sent.size });
    },
    ended: (outcome, call, nowMs) => {
      const events = noted(outcome, call, nowMs);
      const now = hasFallen || slots.limit < Infinity ? whole() : most;
      if (now === reported) return events;
      reported = now;
      return [...events, { type: "limit", limit: now }];
    },
  };
}

/** How many calls a service answers in one time limit, at the speed of the last half of one. */
class AnswerSpeed {
  readonly #timeoutMs: number;
  readonly #answeredAtMs: number[] = [];
  #firstMs: number | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  add(nowMs: number): void {
    this.#answeredAtMs.push(nowMs);
  }

  started(nowMs: number): void {
    this.#firstMs ??= nowMs;
  }

  /** The share of the speed that can be relied on: few answers may have been quick ones. */
  get certainty(): number {
    return 1 - 1 / Math.sqrt(Math.max(1, this.#answeredAtMs.length));
  }

  withinTimeLimit(nowMs: number): number {
    const fromMs = Math.max(nowMs - this.#timeoutMs / 2, this.#firstMs ?? nowMs);
    const times = this.#answeredAtMs;
    while (times.length > judgedAnswers || (times[0] ?? Infinity) < fromMs) times.shift();
    const sinceMs = times.length === judgedAnswers ? (times[0] ?? fromMs) : fromMs;
    return nowMs > sinceMs ? (times.length * this.#timeoutMs) / (nowMs - sinceMs) : 0;
  }
}
