import type { Quota } from "../../contracts/provider.ts";
import { type Limiter, noEvents } from "./limiter.ts";

/** Of a quota, the share that is used: what is left absorbs calls that arrive closer together than they left. */
const usedShare = 0.95;

/**
 * Spreads calls over time so that a quota is not exceeded. Azure OpenAI counts both at arrival: requests in slices of
 * a second, and tokens as the prompt's estimate and the most that the answer may have (Microsoft Learn, "Manage Azure
 * OpenAI quota"). Two buckets, each refilled at 95 % of its quota and never fuller than what one second brings.
 */
export function pacer({ rpm, tpm }: Quota): Limiter {
  const requests = rpm === undefined ? undefined : new Bucket(rpm, 0.05);
  const allTokens = tpm === undefined ? undefined : new Bucket(tpm, 1);
  return {
    waitMs: ({ tokens }, nowMs) => Math.max(requests?.waitMs(1, nowMs) ?? 0, allTokens?.waitMs(tokens, nowMs) ?? 0),
    started: ({ tokens }, nowMs) => {
      requests?.take(1, nowMs);
      allTokens?.take(tokens, nowMs);
    },
    ended: () => noEvents,
  };
}

class Bucket {
  readonly #perMs: number;
  readonly #capacity: number;
  #level: number;
  #filledAtMs = -Infinity;

  constructor(perMinute: number, capacitySeconds: number) {
    this.#perMs = (perMinute * usedShare) / 60_000;
    this.#capacity = Math.max(1, (perMinute / 60) * capacitySeconds);
    this.#level = this.#capacity;
  }

  /** An amount larger than the bucket waits for a full one, and leaves a debt. */
  waitMs(amount: number, nowMs: number): number {
    this.#fill(nowMs);
    return Math.max(0, (Math.min(amount, this.#capacity) - this.#level) / this.#perMs);
  }

  take(amount: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#level -= amount;
  }

  #fill(nowMs: number): void {
    this.#level = Math.min(this.#capacity, this.#level + (nowMs - this.#filledAtMs) * this.#perMs);
    this.#filledAtMs = nowMs;
  }
}
