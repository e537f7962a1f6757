import type { Admission, Verdict } from "../limits/admission.ts";
import type { ResolvedAdmissionOptions } from "../limits/options.ts";

/** Thrown for a call that failed and goes again: the admission said so. */
export class Again extends Error {
  readonly verdict: Verdict & { readonly type: "again" };

  constructor(verdict: Verdict & { readonly type: "again" }) {
    super("the call goes again", { cause: verdict.error });
    this.verdict = verdict;
  }
}

export interface TransportRetryOptions extends Pick<ResolvedAdmissionOptions, "maxTransportRetries" | "retryDelayMs"> {
  readonly admission: Pick<Admission, "sleep">;
  /** A number from 0 up to 1. */
  readonly random: () => number;
  readonly signal: AbortSignal;
}

/**
 * Tries a call again as often as the admission says so: where that is counted, up to the most retries, with full jitter and
 * a wait that doubles.
 *
 * @throws what the last attempt failed with
 */
export async function retryTransport<Result>(
  attempt: () => Promise<Result>,
  { admission, random, signal, maxTransportRetries, retryDelayMs: [shortest, longest] }: TransportRetryOptions,
): Promise<Result> {
  let retryCount = 0;
  for (;;) {
    let delayMs: number;
    try {
      return await attempt();
    } catch (thrown) {
      signal.throwIfAborted();
      if (!(thrown instanceof Again)) throw thrown;
      const { isCounted, afterMs, error } = thrown.verdict;
      if (isCounted) retryCount += 1;
      if (retryCount > maxTransportRetries) throw error;
      const backOffMs = isCounted ? random() * Math.min(longest, shortest * 2 ** (retryCount - 1)) : 0;
      delayMs = Math.max(afterMs, backOffMs);
      if (!isCounted && delayMs === 0) continue;
    }
    await admission.sleep(delayMs, signal);
  }
}
