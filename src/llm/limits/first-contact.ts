import { asRunError, type ProviderError, type Unreachable } from "../provider-error.ts";
import type { ResolvedAdmissionOptions } from "./options.ts";

/** The decision on a failure before the first contact: the call goes again later, or the run stops. */
export type ContactVerdict = { readonly afterMs: number } | { readonly error: ProviderError };

/** How long an address is tried that has never been reached: so many times, or for so long. */
const patience: Readonly<Record<Unreachable, { readonly tries: number; readonly forMs: number }>> = {
  host: { tries: 3, forMs: 30_000 },
  port: { tries: Infinity, forMs: 60_000 },
  protocol: { tries: 1, forMs: 0 },
};

/**
 * Tells a wrong address from an outage: until a service has replied once in a run, a host that is not found, a port where nobody
 * listens and a server that speaks another protocol are a setting's fault. After that they are outages.
 */
export class FirstContact {
  readonly #probeDelayMs: ResolvedAdmissionOptions["probeDelayMs"];
  #isMade = false;
  #trying: { readonly unreachable: Unreachable; readonly sinceMs: number; tries: number; nextAtMs: number } | undefined;

  constructor({ probeDelayMs }: Pick<ResolvedAdmissionOptions, "probeDelayMs">) {
    this.#probeDelayMs = probeDelayMs;
  }

  /** The service has replied, be it with an error of its own. */
  made(): void {
    this.#isMade = true;
    this.#trying = undefined;
  }

  /** Undefined for a failure like any other. */
  judge(error: ProviderError, nowMs: number): ContactVerdict | undefined {
    const { unreachable } = error;
    if (this.#isMade || unreachable === undefined) return undefined;
    if (this.#trying?.unreachable !== unreachable) {
      this.#trying = { unreachable, sinceMs: nowMs, tries: 0, nextAtMs: nowMs };
    }
    const trying = this.#trying;
    const { tries, forMs } = patience[unreachable];
    if (nowMs >= trying.nextAtMs) {
      trying.tries += 1; // others that failed at the same time are the same try
      const [shortest, longest] = this.#probeDelayMs;
      const delayMs = Math.min(longest, shortest * 2 ** (trying.tries - 1));
      trying.nextAtMs = Math.max(nowMs + 1, Math.min(nowMs + delayMs, trying.sinceMs + forMs));
    }
    const elapsedMs = nowMs - trying.sinceMs;
    if (trying.tries < tries && elapsedMs < forMs) return { afterMs: trying.nextAtMs - nowMs };
    const reason = `no call of this run has reached the service (tries: ${trying.tries}, seconds: ${Math.round(elapsedMs / 1000)})`;
    return { error: asRunError(error, reason) };
  }
}
