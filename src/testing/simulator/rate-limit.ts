export interface RateLimits {
  readonly requestsPerMinute?: number | undefined;
  readonly requestWindowMs: number;
  readonly tokensPerMinute?: number | undefined;
  readonly tokenWindowMs: number;
  readonly retryAfter: "exact" | "one-second";
}

export interface Admission {
  /** The quota that is used up; undefined for an admitted request. */
  readonly exceeded: "requests" | "tokens" | undefined;
  /** The time until the next try, in milliseconds; 0 for an admitted request. */
  readonly retryAfterMs: number;
  /** Headers `x-ratelimit-*` of the limits that are set, names and values in turn. */
  readonly headers: readonly string[];
}

/**
 * The limits of one deployment, in windows of fixed length. Every request counts when it arrives, turned away or not. Only an
 * admitted request counts with its tokens, which are estimated.
 */
export class RateLimiter {
  readonly #requests = new QuotaWindow();
  readonly #tokens = new QuotaWindow();

  /** Admits a request or turns it away. `nowMs` is of any clock that starts at 0 or later and never goes back. */
  admit(estimatedTokens: number, limits: RateLimits, nowMs: number): Admission {
    const requests = this.#requests.at(limits.requestsPerMinute, limits.requestWindowMs, nowMs);
    const tokens = this.#tokens.at(limits.tokensPerMinute, limits.tokenWindowMs, nowMs);
    const noRequest = requests !== undefined && requests.remaining < 1;
    const noTokens = tokens !== undefined && tokens.remaining < estimatedTokens;
    this.#requests.use(1);
    if (!noRequest && !noTokens) this.#tokens.use(estimatedTokens);
    const exactMs = Math.max(noRequest ? requests.opensInMs : 0, noTokens ? tokens.opensInMs : 0);
    const isTurnedAway = noRequest || noTokens;
    return {
      exceeded: noRequest ? "requests" : noTokens ? "tokens" : undefined,
      retryAfterMs: isTurnedAway && limits.retryAfter === "one-second" ? 1000 : Math.ceil(exactMs),
      headers: [
        ...headersOf("requests", limits.requestsPerMinute, requests, 1),
        ...headersOf("tokens", limits.tokensPerMinute, tokens, isTurnedAway ? 0 : estimatedTokens),
      ],
    };
  }
}

interface Quota {
  readonly remaining: number;
  /** The time until a window with any quota begins, in milliseconds. */
  readonly opensInMs: number;
}

/** The used quota of the current window. */
class QuotaWindow {
  #windowMs = 0;
  #index = -1;
  #used = 0;

  at(perMinute: number | undefined, windowMs: number, nowMs: number): Quota | undefined {
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
    return { remaining: Math.max(0, until - before - this.#used), opensInMs: next * windowMs - nowMs };
  }

  use(amount: number): void {
    this.#used += amount;
  }
}

/** Far below any quota, far above the error of a product. */
const rounding = 1e-6;

function wholePart(value: number): number {
  return Math.floor(value + rounding);
}

function headersOf(
  what: string,
  perMinute: number | undefined,
  quota: Quota | undefined,
  used: number,
): readonly string[] {
  if (perMinute === undefined || quota === undefined) return [];
  return [
    `x-ratelimit-limit-${what}`,
    String(perMinute),
    `x-ratelimit-remaining-${what}`,
    String(Math.max(0, quota.remaining - used)),
    `x-ratelimit-reset-${what}`,
    String(Math.ceil(quota.opensInMs / 1000)),
  ];
}
