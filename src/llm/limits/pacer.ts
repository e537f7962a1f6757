import type { Quota } from "../../contracts/provider.ts";

/** Of a quota, the share that is used: what is left absorbs calls that arrive closer together than they left. */
const usedShare = 0.95;

/**
 * Spreads calls over time so that a quota is not exceeded. Azure OpenAI counts both at arrival: requests in slices of
 * a second, and tokens as the prompt's estimate and the most that the answer may have (Microsoft Learn, "Manage Azure
 * OpenAI quota"). Two buckets, each refilled at 95 % of its quota and never fuller than what one second brings.
 */
export class Pacer {
  readonly #requests: Bucket | undefined;
  readonly #tokens: Bucket | undefined;

  constructor({ rpm, tpm }: Quota, nowMs: number) {
    this.#requests = rpm === undefined ? undefined : new Bucket(rpm, 0.05, nowMs);
    this.#tokens = tpm === undefined ? undefined : new Bucket(tpm, 1, nowMs);
  }

  /** How long a call of so many tokens has to wait, in milliseconds. */
  waitMs(tokens: number, nowMs: number): number {
    return Math.max(this.#requests?.waitMs(1, nowMs) ?? 0, this.#tokens?.waitMs(tokens, nowMs) ?? 0);
  }

  take(tokens: number, nowMs: number): void {
    this.#requests?.take(1, nowMs);
    this.#tokens?.take(tokens, nowMs);
  }
}

class Bucket {
  readonly #perMs: number;
  readonly #capacity: number;
  #level: number;
  #filledAtMs: number;

  constructor(perMinute: number, capacitySeconds: number, nowMs: number) {
    this.#perMs = (perMinute * usedShare) / 60_000;
    this.#capacity = Math.max(1, (perMinute / 60) * capacitySeconds);
    this.#level = this.#capacity;
    this.#filledAtMs = nowMs;
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
