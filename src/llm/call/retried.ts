import type { Time } from "../../contracts/time.ts";
import type { Admission, Verdict } from "../limits/admission.ts";
import type { ResolvedAdmissionOptions } from "../limits/options.ts";
import { ProviderError } from "../provider-error.ts";
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
  readonly admission: Pick<Admission, "sleep" | "answerCount">;
  readonly time: Pick<Time, "random">;
}

/**
 * Makes another attempt as often as the admission says so, with full jitter and a wait that doubles. A failure counts, up to
 * the most retries, where another call was answered meanwhile, or where the row may be at fault ({@link mayBeTheRow}). Otherwise
 * the service may be down, and a call that is in flight alone waits for it like any other.
 */
export function retried({ admission, time, maxTransportRetries, retryDelayMs }: RetriedOptions): RowLayer {
  const [shortest, longest] = retryDelayMs;
  return (next) => async (call) => {
    let retryCount = 0;
    let attempts = 0;
    let { answerCount } = admission;
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
      attempts += isCounted ? 1 : 0;
      if (isCounted && (admission.answerCount > answerCount || mayBeTheRow(error, answerCount > 0))) retryCount += 1;
      ({ answerCount } = admission);
      call.onAgain?.();
      if (retryCount > maxTransportRetries) throw error;
      const backOffMs = isCounted ? time.random() * Math.min(longest, shortest * 2 ** Math.min(30, attempts - 1)) : 0;
      const delayMs = Math.max(afterMs, backOffMs);
      if (isCounted || delayMs > 0) await admission.sleep(delayMs, call.signal);
    }
  };
}

/**
 * True for a failure that one row's text can cause on its own: a reply that can't be read and, of a service that has answered in
 * this run, an error of the service itself or no reply in time. What a gateway says of a service that it can't reach is not.
 */
function mayBeTheRow(error: unknown, hasAnswered: boolean): boolean {
  if (!(error instanceof ProviderError)) return false;
  const { kind, status = 500 } = error;
  if (kind === "unreadable") return true;
  if (!hasAnswered) return false;
  return kind === "timeout" || (kind === "server" && !gatewayStatuses.has(status));
}

/** Bad gateway and gateway timeout, Cloudflare's of an origin that it can't reach, and "overloaded". */
const gatewayStatuses = new Set([502, 504, 520, 521, 522, 523, 524, 529, 530]);
