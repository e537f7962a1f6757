import type { Time } from "../../contracts/time.ts";
import type { Admission, Verdict } from "../limits/admission.ts";
import type { ResolvedAdmissionOptions } from "../limits/options.ts";
import type { RowLayer } from "./row-call.ts";

/** Thrown by the layer of the admission: the call failed and goes again. */
export class Again extends Error {
  readonly verdict: Verdict & { readonly type: "again" };

  constructor(verdict: Verdict & { readonly type: "again" }) {
    super("the call goes again", { cause: verdict.error });
    this.verdict = verdict;
  }
}

export interface RetriedOptions extends Pick<ResolvedAdmissionOptions, "maxTransportRetries" | "retryDelayMs"> {
  readonly admission: Pick<Admission, "sleep">;
  readonly time: Pick<Time, "random">;
}

/**
 * Makes another attempt as often as the admission says so: where that is counted, up to the most retries, with full jitter
 * and a wait that doubles.
 */
export function retried({ admission, time, maxTransportRetries, retryDelayMs }: RetriedOptions): RowLayer {
  const [shortest, longest] = retryDelayMs;
  return (next) => async (call) => {
    let retryCount = 0;
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
      if (isCounted) retryCount += 1;
      if (retryCount > maxTransportRetries) throw error;
      const backOffMs = isCounted ? time.random() * Math.min(longest, shortest * 2 ** (retryCount - 1)) : 0;
      const delayMs = Math.max(afterMs, backOffMs);
      if (isCounted || delayMs > 0) await admission.sleep(delayMs, call.signal);
    }
  };
}
