import { QuotaBucket, QuotaWindow, type Quota } from "./quota.ts";
import { toldWaitMs, type SimulatorRetryAfter } from "./retry-after.ts";

export interface RateLimits {
  /** @default "window" */
  readonly limitKind?: "window" | "bucket" | undefined;
  readonly requestsPerMinute?: number | undefined;
  readonly requestWindowMs: number;
  readonly tokensPerMinute?: number | undefined;
  readonly tokenWindowMs: number;
  readonly retryAfter: SimulatorRetryAfter;
}

export interface Admission {
  /** The quota that is used up; undefined for an admitted request. */
  readonly exceeded: "requests" | "tokens" | undefined;
  /** The wait that the client is told, in milliseconds; undefined for none, 0 for an admitted request. */
  readonly retryAfterMs: number | undefined;
  /** Headers `x-ratelimit-*` of the limits that are set, names and values in turn. */
  readonly headers: readonly string[];
}

/**
 * The limits of one deployment. Windows count every request when it arrives, turned away or not, and the tokens of admitted
 * ones. Buckets count admitted requests alone. Tokens are estimated.
 */
export class RateLimiter {
  readonly #windows = { requests: new QuotaWindow(), tokens: new QuotaWindow() };
  readonly #buckets = { requests: new QuotaBucket(), tokens: new QuotaBucket() };

  /** Admits a request or turns it away. `nowMs` is of any clock that starts at 0 or later and never goes back. */
  admit(estimatedTokens: number, limits: RateLimits, nowMs: number): Admission {
    const { limitKind = "window", requestsPerMinute, requestWindowMs, tokensPerMinute, tokenWindowMs } = limits;
    const quotas = limitKind === "bucket" ? this.#buckets : this.#windows;
    const requests = quotas.requests.at({
      perMinute: requestsPerMinute,
      windowMs: requestWindowMs,
      amount: 1,
      nowMs,
    });
    const tokens = quotas.tokens.at({
      perMinute: tokensPerMinute,
      windowMs: tokenWindowMs,
      amount: estimatedTokens,
      nowMs,
    });
    const noRequest = requests?.hasRoom === false;
    const noTokens = tokens?.hasRoom === false;
    const isTurnedAway = noRequest || noTokens;
    const usedRequests = limitKind === "window" || !isTurnedAway ? 1 : 0;
    quotas.requests.use(usedRequests);
    if (!isTurnedAway) quotas.tokens.use(estimatedTokens);
    const exactMs = Math.max(noRequest ? requests.opensInMs : 0, noTokens ? tokens.opensInMs : 0);
    return {
      exceeded: noRequest ? "requests" : noTokens ? "tokens" : undefined,
      retryAfterMs: isTurnedAway ? toldWaitMs(limits.retryAfter, exactMs) : 0,
      headers: [
        ...headersOf("requests", requestsPerMinute, requests, usedRequests),
        ...headersOf("tokens", tokensPerMinute, tokens, isTurnedAway ? 0 : estimatedTokens),
      ],
    };
  }
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
    String(Math.ceil(quota.resetsInMs / 1000)),
  ];
}
