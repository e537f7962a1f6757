import type { SentCall, SentCalls } from "./sent-calls.ts";

/** No rejected call goes again sooner, in milliseconds, whatever the service says: some say 0 for ever. */
export const shortestWaitMs = 100;

/** No service is believed that asks for a longer wait, in milliseconds. */
export const longestWaitMs = 600_000;

/** The first wait where the service says none, in milliseconds; it grows by this factor with each that was too short. */
const unknownWaitMs = 200;
const unknownWaitFactor = 1.5;
const longestUnknownWaitMs = 30_000;

/**
 * Closed for all calls for as long as the service asks, or for longer and longer where it does not say. Then one call goes as a
 * probe, and the gate is open once that is accepted: an empty quota costs one rejection a look, not one for each call that waits.
 */
export class Gate {
  readonly #calls: SentCalls;
  readonly #random: () => number;
  #closedAtMs = 0;
  #closedUntilMs = 0;
  #isProbing = false;
  #probe: SentCall | undefined;
  #unknownWaits = 0;

  constructor(calls: SentCalls, random: () => number) {
    this.#calls = calls;
    this.#random = random;
  }

  /** True until a probe has been accepted. */
  get isProbing(): boolean {
    return this.#isProbing;
  }

  isClosed(nowMs: number): boolean {
    return nowMs < this.#closedUntilMs;
  }

  /** Closes for the wait that the service asks for. Returns for how many milliseconds. */
  close(askedMs: number | undefined, nowMs: number): number {
    const isAsked = askedMs !== undefined && askedMs >= shortestWaitMs;
    const durationMs = isAsked ? Math.min(longestWaitMs, askedMs) : this.#unknownMs();
    if (!this.#isProbing) this.#closedAtMs = nowMs;
    this.#closedUntilMs = nowMs + durationMs;
    this.#isProbing = true;
    this.#probe = undefined;
    return durationMs;
  }

  /** Closes for the shortest wait, without a probe after it. */
  pause(nowMs: number): void {
    this.#closedUntilMs = nowMs + shortestWaitMs;
  }

  /** How long the next call has to wait, in milliseconds: also until the probe that is out counts as accepted. */
  waitMs(nowMs: number): number {
    const probe = this.#isProbing ? this.#probe : undefined;
    return Math.max(
      this.#closedUntilMs - nowMs,
      probe === undefined ? 0 : this.#calls.acceptedAfterMs(probe) - nowMs,
      0,
    );
  }

  /** Notes that a call goes: the first one after the wait is the probe. */
  started(call: SentCall): void {
    if (this.#isProbing) this.#probe = call;
  }

  /** Forgets that the call is the probe: how it ended says nothing of the quota. The next one that goes is. */
  dismiss(call: SentCall): void {
    if (this.#probe === call) this.#probe = undefined;
  }

  isProbe(call: SentCall): boolean {
    return this.#isProbing && this.#probe === call;
  }

  /** Opens if the probe has been accepted. Returns for how many milliseconds the gate was closed; undefined if it does not open now. */
  openIfAccepted(nowMs: number): number | undefined {
    const probe = this.#probe;
    if (!this.#isProbing || probe === undefined || probe.isRejected) return undefined;
    if (!probe.isAnswered && nowMs < this.#calls.acceptedAfterMs(probe)) return undefined;
    this.#isProbing = false;
    this.#probe = undefined;
    this.#unknownWaits = 0;
    return nowMs - this.#closedAtMs;
  }

  #unknownMs(): number {
    const jitter = 0.75 + 0.5 * this.#random();
    const durationMs = Math.min(longestUnknownWaitMs, unknownWaitMs * unknownWaitFactor ** this.#unknownWaits * jitter);
    this.#unknownWaits += 1;
    return durationMs;
  }
}
