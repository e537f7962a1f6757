import type { CallOutcome, CallSize, LimitEvent, Limiter } from "../../src/llm/limits/limiter.ts";

/** How a service takes one call. */
export interface Taken {
  readonly outcome: CallOutcome;
  /** The time until the reply, in milliseconds. */
  readonly afterMs: number;
}

export interface LimitedServiceOptions {
  readonly limits: readonly Limiter[];
  /** Rows that ask at the same time, each again as soon as it was answered. */
  readonly rows: number;
  readonly seconds: number;
  /** @default 100 */
  readonly tokens?: number;
  readonly take: (nowMs: number, inFlight: number) => Taken;
}

/** One call that went. */
export interface CallSent {
  readonly atMs: number;
  readonly row: number;
  readonly type: CallOutcome["type"];
}

export interface ServiceRun {
  readonly sent: readonly CallSent[];
  readonly events: readonly (LimitEvent & { readonly atMs: number })[];
  readonly mostInFlight: number;
}

interface Due {
  readonly atMs: number;
  readonly happen: (nowMs: number) => void;
}

/** Rows that ask a scripted service through limiters, in a time of its own: no clock, no timer, no chance but the script's. */
export function runService({ limits, rows, seconds, tokens = 100, take }: LimitedServiceOptions): ServiceRun {
  const due: Due[] = [];
  const queue: number[] = [];
  const sent: CallSent[] = [];
  const events: (LimitEvent & { readonly atMs: number })[] = [];
  let inFlight = 0;
  let mostInFlight = 0;
  let wakeAtMs = Infinity;

  const send = (row: number, call: CallSize, nowMs: number): void => {
    for (const limiter of limits) limiter.started(call, nowMs);
    inFlight += 1;
    mostInFlight = Math.max(mostInFlight, inFlight);
    const { outcome, afterMs } = take(nowMs, inFlight);
    sent.push({ atMs: nowMs, row, type: outcome.type });
    due.push({ atMs: nowMs + afterMs, happen: (endMs) => end(row, call, outcome, endMs) });
  };
  const end = (row: number, call: CallSize, outcome: CallOutcome, nowMs: number): void => {
    inFlight -= 1;
    const all = limits.flatMap((limiter) => limiter.ended(outcome, call, nowMs));
    events.push(...all.map((event) => ({ ...event, atMs: nowMs })));
    const waits = all.map((event) => (event.type === "again" || event.type === "delay" ? event.afterMs : 0));
    const waitMs = outcome.type === "answer" ? 0 : Math.max(0, ...waits);
    if (waitMs === 0) queue.push(row);
    else due.push({ atMs: nowMs + waitMs, happen: () => queue.push(row) });
  };
  const serve = (nowMs: number): void => {
    wakeAtMs = Infinity;
    for (let row = queue[0]; row !== undefined; row = queue[0]) {
      const call = { tokens };
      const waitMs = Math.max(...limits.map((limiter) => limiter.waitMs(call, nowMs)));
      if (waitMs > 0) return void (wakeAtMs = nowMs + Math.ceil(waitMs));
      queue.shift();
      send(row, call, nowMs);
    }
  };

  for (let row = 0; row < rows; row += 1) queue.push(row);
  for (let nowMs = 0; nowMs < seconds * 1000;) {
    serve(nowMs);
    let next = -1;
    for (const [index, { atMs }] of due.entries()) if (atMs < (due[next]?.atMs ?? wakeAtMs)) next = index;
    const [happening] = next === -1 ? [] : due.splice(next, 1);
    nowMs = happening?.atMs ?? wakeAtMs;
    happening?.happen(nowMs);
  }
  return { sent, events, mostInFlight };
}

/** Calls of a stretch of time, from and to a second. */
export function callsBetween(sent: readonly CallSent[], from: number, to: number): readonly CallSent[] {
  return sent.filter(({ atMs }) => atMs >= from * 1000 && atMs < to * 1000);
}

/** Numbers from 0 up to, but not including, 1, the same for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
