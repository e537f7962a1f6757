import type { Admission } from "../limits/admission.ts";
import type { ResolvedAdmissionOptions } from "../limits/options.ts";
import { ProviderError } from "../provider-error.ts";

export interface TransportRetryOptions extends Pick<ResolvedAdmissionOptions, "maxTransportRetries" | "retryDelayMs"> {
  readonly admission: Pick<Admission, "isDown" | "sleep">;
  readonly signal: AbortSignal;
}

/**
 * Tries a call again after a transient failure: with full jitter and a wait that doubles. A 429 uses up no retry, for the
 * gate holds all calls back as long as the service asked; nor does a failure while the service is down.
 *
 * @throws what the last attempt threw
 */
export async function retryTransport<Result>(
  attempt: () => Promise<Result>,
  { admission, signal, maxTransportRetries, retryDelayMs: [shortest, longest] }: TransportRetryOptions,
): Promise<Result> {
  let retryCount = 0;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ProviderError) || error.class !== "transient") throw error;
      if (error.code === "RATE_LIMITED" || admission.isDown) continue;
      retryCount += 1;
      if (retryCount > maxTransportRetries) throw error;
    }
    const mostMs = Math.min(longest, shortest * 2 ** (retryCount - 1));
    await admission.sleep(Math.random() * mostMs, signal);
  }
}
