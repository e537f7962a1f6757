import type { RateLimit } from "../../contracts/provider.ts";
import type { SentCall, SentCalls } from "./sent-calls.ts";

/** A quota that the service tells is known as well as one that was measured by so many calls. */
export const toldCount = 100;

/** A rate is measured over so many milliseconds at least, and over so many calls. */
const shortestMs = 100;
const fewestCalls = 10;

/** Above this share of the highest rest that was told, a quota may be full: it could have grown more. */
const fullShare = 0.8;

/** A quota that grows by less than this share of what is sent is that of a window: it comes back all at once. */
const smallestShare = 0.05;

/** In milliseconds: a service that says the same rest for ever is believed once in so long. */
const believedEveryMs = 60_000;

/**
 * Finds the quota of a service by the rest that it tells with its answers (`x-ratelimit-remaining-*`), before any call is
 * rejected: what was sent, and what the rest grew or fell meanwhile. It is advice. Services tell the rest of a slice of a minute,
 * or reject calls while there is some left; so it says a pace once where the rest is nearly used up, and closes nothing.
 */
export class ToldQuota {
  readonly #requests = new Rest();
  readonly #tokens = new Rest();
  #toldAtMs = -Infinity;

  /** Notes what came with the answer of a call. Returns the quota in tokens a second; undefined where there is no news of it. */
  report(rateLimit: RateLimit, call: SentCall, calls: SentCalls, nowMs: number): number | undefined {
    const { sentCount, sentTokens } = calls;
    const meanTokens = sentTokens / sentCount;
    const { remainingRequests, remainingTokens } = rateLimit;
    const requests = this.#requests.report(remainingRequests, call.number + 1, sentCount, nowMs);
    const tokens = this.#tokens.report(remainingTokens, call.sentTokens, sentTokens, nowMs);
    const quotas = [(requests ?? Infinity) * meanTokens, tokens ?? Infinity];
    const quota = Math.min(...quotas);
    if (quota === Infinity || nowMs - this.#toldAtMs < believedEveryMs) return undefined;
    this.#toldAtMs = nowMs;
    return quota;
  }
}

interface Report {
  readonly atMs: number;
  readonly rest: number;
  readonly sent: number;
}

/** The rest of one quota, in requests or in tokens. */
class Rest {
  #first: Report | undefined;
  #latestSent = 0;
  #highest = 0;
  #reportCount = 0;

  /**
   * The growth in a second, where so little is left that the calls that went since may use it up. `sent` is all that had
   * been sent with the call that was answered, `sentByNow` all that has been.
   */
  report(rest: number | undefined, sent: number, sentByNow: number, nowMs: number): number | undefined {
    if (rest === undefined || sent < this.#latestSent) return undefined; // a later call has been answered before
    this.#latestSent = sent;
    const first = this.#first;
    this.#highest = Math.max(this.#highest, rest);
    if (first === undefined || rest > first.rest || rest >= fullShare * this.#highest) {
      this.#first = { atMs: nowMs, rest, sent };
      this.#reportCount = 0;
      return undefined;
    }
    this.#reportCount += 1;
    const elapsedMs = nowMs - first.atMs;
    const isLow = rest < 2 * (sentByNow - sent);
    if (!isLow || elapsedMs < shortestMs || this.#reportCount < fewestCalls) return undefined;
    const used = sent - first.sent;
    const grown = used + rest - first.rest;
    return grown > smallestShare * used ? (1000 * grown) / elapsedMs : undefined;
  }
}
