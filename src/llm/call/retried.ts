import type { Time } from "../../contracts/time.ts";
import type { SparePlaces } from "../../engine/spare-places.ts";
import type { Admission, Verdict } from "../limits/admission.ts";
import type { ResolvedAdmissionOptions } from "../limits/options.ts";
import { ProviderError, type ProviderErrorKind } from "../provider-error.ts";
import type { RowCall, RowLayer } from "./row-call.ts";

/** Thrown by the layer of the admission: the call failed and goes again. */
export class Again extends Error {
  readonly verdict: Verdict & { readonly type: "again" };

  constructor(verdict: Verdict & { readonly type: "again" }) {
    super("the call goes again", { cause: verdict.error });
    this.verdict = verdict;
  }
}

export interface RetriedOptions extends Pick<ResolvedAdmissionOptions, "maxTransportRetries" | "retryDelayMs"> {
  readonly admission: Pick<Admission, "sleep" | "startCount" | "answerCount" | "newestAnswered">;
  readonly time: Pick<Time, "now" | "random">;
  /** Lets more rows in while one gets no answer. @default none */
  readonly sparePlaces?: SparePlaces | undefined;
}

/**
 * Makes another attempt as often as the admission says so, with full jitter and a wait that doubles. A failure counts, up to
 * the most retries, where it may be the row's: {@link RowEvidence}. Otherwise the service may be down, and a call that is in
 * flight alone waits for it like any other. A call that timed out three times while others were answered may take twice as long, once.
 */
export function retried(options: RetriedOptions): RowLayer {
  const { admission, time, sparePlaces, maxTransportRetries, retryDelayMs } = options;
  return (next) => async (call) => {
    const evidence = new RowEvidence(admission);
    call.isRefuted = () => evidence.isRefuted;
    let countedCount = 0;
    let shortCount = 0;
    let release: (() => void) | undefined;
    try {
      for (;;) {
        let verdict: Again["verdict"];
        try {
          return await next(call);
        } catch (thrown) {
          call.signal.throwIfAborted();
          if (!(thrown instanceof Again)) throw thrown;
          ({ verdict } = thrown);
        }
        const { isCounted, afterMs, error } = verdict;
        if (isCounted) countedCount += 1;
        if (isOfKind(error, "capacity")) {
          shortCount += 1;
          const delayMs = Math.max(afterMs, backOffMs(capacityDelayMs, shortCount, time.random));
          await admission.sleep(Math.min(delayMs, untilFallbackMs(call, time.now())), call.signal);
          continue;
        }
        if (!isOfKind(error, "rate-limit")) {
          evidence.failed(error, !isCounted);
          call.onAgain?.();
          if (evidence.unexplainedCount >= attemptsToCompare) release ??= sparePlaces?.stuck();
          if (evidence.count > maxTransportRetries || (isCounted && maxTransportRetries === 0)) throw error;
          if (isOfKind(error, "timeout") && evidence.count >= timeoutsBeforeLast) {
            if (call.timeoutFactor !== undefined) throw error;
            call.timeoutFactor = lastTimeoutFactor;
          }
        }
        const delayMs = Math.max(afterMs, isCounted ? backOffMs(retryDelayMs, countedCount, time.random) : 0);
        if (isCounted || delayMs > 0) await admission.sleep(delayMs, call.signal);
      }
    } finally {
      release?.();
    }
  };
}

/** A call that fails so often, with no other to compare it with, is given another row's. */
const attemptsToCompare = 3;

/** A call that failed so often while the service was up is not one of an outage that began meanwhile. */
const refutationsToBeSure = 2;

/** A call that got no answer in time so often, while others were answered, has one last attempt, which may take so many times as long. */
const timeoutsBeforeLast = 3;
const lastTimeoutFactor = 2;

/** The bounds of the wait of a call whose service tier has no room, in milliseconds. */
const capacityDelayMs = [1000, 60_000] as const;

/** A random part of a wait that doubles with each failure, within these bounds. */
function backOffMs([shortest, longest]: readonly [number, number], failureCount: number, random: () => number): number {
  return random() * Math.min(longest, shortest * 2 ** Math.min(30, failureCount - 1));
}

/** How long the call still waits for room in its tier before it goes in the standard one. */
function untilFallbackMs({ provider, tierWait }: RowCall, nowMs: number): number {
  const { tierFallbackMs } = provider;
  if (tierFallbackMs === undefined || tierWait?.sinceMs === undefined) return Infinity;
  return Math.max(0, tierWait.sinceMs + tierFallbackMs - nowMs);
}

function isOfKind(error: unknown, kind: ProviderErrorKind): boolean {
  return error instanceof ProviderError && error.kind === kind;
}

/** So many failures are an outage, although others were answered after it: they then use up no retry. */
const failuresOfOutage = 6;

/**
 * Tells the failures of one call that may be its row's from those of a service that is down. That the service was up is shown by
 * a call that started after a failure, and was answered; for what a row's text can cause, any answer after it will do.
 */
class RowEvidence {
  readonly #admission: RetriedOptions["admission"];
  /** Failures that may be the row's. */
  count = 0;
  unexplainedCount = 0;
  #refutedCount = 0;
  #answersAtFirst: number | undefined;
  #startsAtLast: number | undefined;

  constructor(admission: RetriedOptions["admission"]) {
    this.#admission = admission;
  }

  /** True once the service was up after a failure of the call. */
  get isRefuted(): boolean {
    return this.#refutedCount > 0 || this.#isLastRefuted;
  }

  get #isLastRefuted(): boolean {
    return this.#startsAtLast !== undefined && this.#admission.newestAnswered > this.#startsAtLast;
  }

  /** `isOutage`: the service counts as down. */
  failed(error: unknown, isOutage: boolean): void {
    const { startCount, answerCount } = this.#admission;
    if (this.#isLastRefuted) this.#refutedCount += 1;
    this.#answersAtFirst ??= answerCount;
    const isExplained = this.#refutedCount > 0 || mayBeTheRow(error, answerCount > this.#answersAtFirst);
    if (isOutage ? this.#refutedCount >= refutationsToBeSure : isExplained) {
      this.count += 1 + (this.unexplainedCount < failuresOfOutage ? this.unexplainedCount : 0);
      this.unexplainedCount = 0;
    } else {
      this.unexplainedCount += 1;
    }
    this.#startsAtLast = startCount;
  }
}

/**
 * True for a failure that one row's text can cause on its own: a reply that can't be read and, where others were answered
 * meanwhile, an error of the service itself or no reply in time. What a gateway says of a service that it can't reach is not.
 */
function mayBeTheRow(error: unknown, areOthersAnswered: boolean): boolean {
  if (!(error instanceof ProviderError)) return false;
  const { kind, status = 500 } = error;
  if (kind === "unreadable") return true;
  return areOthersAnswered && (kind === "timeout" || (kind === "server" && !gatewayStatuses.has(status)));
}

/** Bad gateway and gateway timeout, Cloudflare's of an origin that it can't reach, and "overloaded". */
const gatewayStatuses = new Set([502, 504, 520, 521, 522, 523, 524, 529, 530]);
