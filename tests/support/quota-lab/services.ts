import type { LabCall } from "./policy.ts";
import type { Draw, Random } from "./random.ts";
import type { Tell } from "./tells.ts";

/** A service's reply, and when it comes. */
export interface Reply {
  readonly status: number;
  readonly afterMs: number;
  /** The wait that a rejection asks for, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

export type Service = (call: LabCall, nowMs: number) => Reply;

/** Makes a service that has seen no call yet; what it does by chance follows `random`. */
export type MakeService = (random: Random) => Service;

interface Answers {
  readonly latency: Draw;
}

interface Rejections {
  readonly tell: Tell;
  /** The time that a rejection takes, in milliseconds. @default 2 */
  readonly rejectionMs?: Draw | undefined;
}

interface BucketOptions extends Answers, Rejections {
  readonly perSecond: number;
  readonly burst: number;
  /** Of a call. @default 1 */
  readonly cost?: (call: LabCall) => number;
  /** From which moment on, in milliseconds, how much flows in per second. @default perSecond at all times */
  readonly changes?: readonly (readonly [fromMs: number, perSecond: number])[];
  /** The share that another client takes. @default 0 */
  readonly taken?: number;
}

/** A bucket that fills all the time: `perSecond` calls, at most `burst` of them at once. */
export function bucket(options: BucketOptions): MakeService {
  return (random) => {
    const level = new Level(options);
    return (call, nowMs) => {
      const waitMs = level.waitMs(call, nowMs);
      if (waitMs > 0) return rejection(options, waitMs, random);
      level.take(call);
      return answer(options, random);
    };
  };
}

/** Two buckets, as of requests and of tokens: a call needs room in both, and a rejected one takes from neither. */
export function twoBuckets(one: BucketOptions, other: BucketOptions): MakeService {
  return (random) => {
    const levels = [new Level(one), new Level(other)];
    return (call, nowMs) => {
      const waitMs = Math.max(...levels.map((level) => level.waitMs(call, nowMs)));
      if (waitMs > 0) return rejection(one, waitMs, random);
      for (const level of levels) level.take(call);
      return answer(one, random);
    };
  };
}

/** What is in a bucket. */
class Level {
  readonly #options: Omit<BucketOptions, "tell" | "latency">;
  #level: number;
  #atMs = 0;

  constructor(options: Omit<BucketOptions, "tell" | "latency">) {
    this.#options = options;
    this.#level = options.burst;
  }

  /** The wait until there is enough for the call, in milliseconds: for one larger than the bucket, until that is full. */
  waitMs(call: LabCall, nowMs: number): number {
    const { burst, perSecond, changes = [], taken = 0 } = this.#options;
    const rate = (changes.findLast(([fromMs]) => nowMs >= fromMs)?.[1] ?? perSecond) * (1 - taken);
    this.#level = Math.min(burst, this.#level + ((nowMs - this.#atMs) * rate) / 1000);
    this.#atMs = nowMs;
    const missing = this.#need(call) - this.#level;
    return missing > 0 ? (missing * 1000) / rate : 0;
  }

  take(call: LabCall): void {
    this.#level -= this.#need(call);
  }

  #need(call: LabCall): number {
    return Math.min(this.#options.burst, this.#options.cost?.(call) ?? 1);
  }
}

interface WindowOptions extends Answers, Rejections {
  readonly calls: number;
  readonly windowMs: number;
}

/** So many calls in each window of fixed bounds. */
export function fixedWindow(options: WindowOptions): MakeService {
  const { calls, windowMs } = options;
  return (random) => {
    let window = -1;
    let used = 0;
    return (_, nowMs) => {
      const current = Math.floor(nowMs / windowMs);
      if (current !== window) [window, used] = [current, 0];
      if (used >= calls) return rejection(options, (current + 1) * windowMs - nowMs, random);
      used += 1;
      return answer(options, random);
    };
  };
}

/** So many calls in each stretch of time as long as the window, wherever it begins. */
export function slidingWindow(options: WindowOptions): MakeService {
  const { calls, windowMs } = options;
  return (random) => {
    const sentAtMs: number[] = [];
    return (_, nowMs) => {
      while ((sentAtMs[0] ?? Infinity) <= nowMs - windowMs) sentAtMs.shift();
      if (sentAtMs.length >= calls) return rejection(options, (sentAtMs[0] ?? nowMs) + windowMs - nowMs, random);
      sentAtMs.push(nowMs);
      return answer(options, random);
    };
  };
}

/** So many calls at a time: one more is rejected. */
export function capped(options: Answers & Rejections & { readonly cap: number }): MakeService {
  return (random) => {
    let endsMs: number[] = [];
    return (_, nowMs) => {
      endsMs = endsMs.filter((endMs) => endMs > nowMs);
      if (endsMs.length >= options.cap) return rejection(options, Math.min(...endsMs) - nowMs, random);
      const reply = answer(options, random);
      endsMs.push(nowMs + reply.afterMs);
      return reply;
    };
  };
}

interface SporadicOptions {
  /** The share of calls that is rejected. @default 0 */
  readonly p429?: number;
  /** The share of calls that fails with a 500. @default 0 */
  readonly p500?: number;
  /** Is asked for 200 ms. @default 200 ms */
  readonly tell?: Tell;
  /** The service that has these faults. */
  readonly inner: MakeService;
}

/** Faults that have nothing to do with load, before a service that has not. */
export function sporadic({ p429 = 0, p500 = 0, tell = () => 200, inner }: SporadicOptions): MakeService {
  return (random) => {
    const service = inner(random);
    return (call, nowMs) => {
      const chance = random();
      if (chance < p429) return { status: 429, afterMs: 3, retryAfterMs: tell(200, random) };
      if (chance < p429 + p500) return { status: 500, afterMs: 5 };
      return service(call, nowMs);
    };
  };
}

/** No quota. */
export function free(options: Answers): MakeService {
  return (random) => () => answer(options, random);
}

/** A server that answers `count` calls at a time, in order, and works on for callers that have gone. */
export function slots({ count, latency }: Answers & { readonly count: number }): MakeService {
  return (random) => {
    const freeAtMs = Array.from({ length: count }, () => 0);
    return (_, nowMs) => {
      const firstMs = Math.min(...freeAtMs);
      const endMs = Math.max(nowMs, firstMs) + latency(random);
      freeAtMs[freeAtMs.indexOf(firstMs)] = endMs;
      return { status: 200, afterMs: endMs - nowMs };
    };
  };
}

function answer({ latency }: Answers, random: Random): Reply {
  return { status: 200, afterMs: Math.max(1, latency(random)) };
}

function rejection({ tell, rejectionMs = () => 2 }: Rejections, waitMs: number, random: Random): Reply {
  return { status: 429, afterMs: rejectionMs(random), retryAfterMs: tell(waitMs, random) };
}
