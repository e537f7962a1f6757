/** The quota of a limit at one moment. */
export interface Quota {
  /** True if a request of the asked size may come in now. */
  readonly hasRoom: boolean;
  readonly remaining: number;
  /** The time until a request of that size may come in, in milliseconds. */
  readonly opensInMs: number;
  /** The time until the quota is whole again, in milliseconds. */
  readonly resetsInMs: number;
}

/** A limit asked for its quota: `perMinute` requests or tokens, of which a request takes `amount`. */
export interface QuotaQuestion {
  readonly perMinute: number | undefined;
  readonly windowMs: number;
  readonly amount: number;
  readonly nowMs: number;
}

/** The quota of windows of fixed length: each window brings all of its quota at once. */
export class QuotaWindow {
  #windowMs = 0;
  #index = -1;
  #used = 0;

  at({ perMinute, windowMs, amount, nowMs }: QuotaQuestion): Quota | undefined {
    const index = Math.floor(nowMs / windowMs);
    if (index !== this.#index || windowMs !== this.#windowMs) this.#used = 0;
    this.#index = index;
    this.#windowMs = windowMs;
    if (perMinute === undefined) return undefined;
    const perWindow = (perMinute * windowMs) / 60_000;
    // A window with less than 1 lends it to the next: 30 a minute are one in every second window of a second.
    const before = wholePart(perWindow * index);
    const until = wholePart(perWindow * (index + 1));
    const next = perWindow >= 1 ? index + 1 : Math.ceil((until + 1) / perWindow - rounding) - 1;
    const remaining = Math.max(0, until - before - this.#used);
    const opensInMs = next * windowMs - nowMs;
    return { hasRoom: remaining >= amount, remaining, opensInMs, resetsInMs: opensInMs };
  }

  use(amount: number): void {
    this.#used += amount;
  }
}

/** The quota of a bucket that fills steadily, and holds what comes in during one window: full at first. */
export class QuotaBucket {
  #level: number | undefined;
  #atMs = 0;

  at({ perMinute, windowMs, amount, nowMs }: QuotaQuestion): Quota | undefined {
    if (perMinute === undefined) {
      this.#level = undefined;
      return undefined;
    }
    const perMs = perMinute / 60_000;
    const size = Math.max(1, perMs * windowMs);
    const level = Math.min(size, (this.#level ?? size) + (nowMs - this.#atMs) * perMs);
    this.#level = level;
    this.#atMs = nowMs;
    const needed = Math.min(amount, size); // a request that is larger than the bucket needs a full one
    return {
      hasRoom: level >= needed - rounding,
      remaining: wholePart(level),
      opensInMs: Math.max(0, (needed - level) / perMs - rounding),
      resetsInMs: (size - level) / perMs,
    };
  }

  use(amount: number): void {
    if (this.#level !== undefined) this.#level = Math.max(0, this.#level - amount);
  }
}

/** Far below any quota, far above the error of a product. */
const rounding = 1e-6;

function wholePart(value: number): number {
  return Math.floor(value + rounding);
}
