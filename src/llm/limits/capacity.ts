import { TransientMap } from "../../engine/transient-map.ts";
import { Cliff } from "./cliff.ts";
import { type CallOutcome, type CallSize, type LimitEvent, type Limiter, noEvents } from "./limiter.ts";
import type { ResolvedAdmissionOptions } from "./options.ts";
import { type TierWait, waitsSince } from "./tier-wait.ts";

export interface CapacityOptions extends Pick<ResolvedAdmissionOptions, "probeDelayMs" | "capacityTimeoutMs"> {
  /** How long a call waits for its tier, in milliseconds. @default for ever */
  readonly fallbackMs?: number | undefined;
  /** A number from 0 up to, but not including, 1. */
  readonly random: () => number;
}

/**
 * A tier that has room for some calls has to be told from one that has none: closing it costs the time of an answer. A service may let calls
 * wait for seconds before it turns them away.
 */
const shortage = { fewestRejections: 12, smallestShare: 0.8, longestMs: 30_000 };

/**
 * Holds calls back while their service tier has no room. One failure is its own call's, which goes again later; where most calls fail so,
 * single ones go as probes, further and further apart, and all go once one is answered. A call that has waited for `fallbackMs` goes in the
 * standard tier, which this limiter does not concern. Where calls do not fall back, the run ends if none is answered for the capacity timeout.
 */
export function capacity(options: CapacityOptions): Limiter {
  const tier = new Tier(options);
  return {
    reason: "capacity",
    waitMs: ({ tierWait }, nowMs) => tier.waitMs(tierWait, nowMs),
    started: (call, nowMs) => tier.started(call, nowMs),
    ended: (outcome, call, nowMs) => tier.ended(outcome, call, nowMs),
    stall: () => tier.stall(),
  };
}

/** A call in flight, counted from 0. */
interface Sent {
  readonly number: number;
  readonly atMs: number;
}

class Tier {
  readonly #options: CapacityOptions;
  readonly #cliff = new Cliff(shortage);
  readonly #inFlight = new TransientMap<CallSize, Sent>();
  #sentCount = 0;
  /** Above 0 while the tier has no room. */
  #delayMs = 0;
  #probeAtMs = 0;
  #probe: CallSize | undefined;
  /** When a call found no room, and none that was sent later was answered. */
  #shortSinceMs: number | undefined;
  #opened = { atMs: -Infinity, delayMs: 0 };

  constructor(options: CapacityOptions) {
    this.#options = options;
  }

  waitMs(wait: TierWait | undefined, nowMs: number): number {
    if (this.#delayMs === 0 || wait?.isOver === true) return 0;
    const probeAtMs = this.#probe === undefined ? this.#probeAtMs : Infinity;
    return Math.max(0, Math.min(this.#overAtMs(wait), probeAtMs) - nowMs);
  }

  started(call: CallSize, nowMs: number): void {
    const { tierWait } = call;
    if (tierWait !== undefined && nowMs >= this.#overAtMs(tierWait) && !this.#isProbeFor(tierWait, nowMs)) {
      tierWait.sinceMs ??= nowMs;
      tierWait.isOver = true;
    }
    if (tierWait?.isOver === true) return;
    this.#inFlight.set(call, { number: this.#sentCount, atMs: nowMs });
    this.#sentCount += 1;
    if (this.#delayMs > 0) this.#probe = call;
  }

  ended(outcome: CallOutcome, call: CallSize, nowMs: number): readonly LimitEvent[] {
    const sent = this.#inFlight.get(call);
    if (sent === undefined) return noEvents;
    this.#inFlight.delete(call);
    if (outcome.type === "failure" && outcome.kind === "capacity")
      return this.#failed(call, sent, outcome.retryAfterMs ?? 0, nowMs);
    if (outcome.type === "answer" && sent.atMs > (this.#shortSinceMs ?? Infinity)) this.#shortSinceMs = undefined;
    if (call !== this.#probe) return noEvents;
    this.#probe = undefined; // where it was not answered it says nothing of the tier, and the next one is the probe
    if (outcome.type === "answer") this.#open(nowMs);
    return noEvents;
  }

  stall(): { readonly atMs: number; readonly durationMs: number } | undefined {
    const { fallbackMs, capacityTimeoutMs: durationMs } = this.#options;
    if (this.#shortSinceMs === undefined || fallbackMs !== undefined || this.#inFlight.size > 0) return undefined;
    return { atMs: this.#shortSinceMs + durationMs, durationMs };
  }

  /** When the call has waited for so long that it goes in the standard tier. */
  #overAtMs(wait: TierWait | undefined): number {
    const { fallbackMs } = this.#options;
    if (wait === undefined || fallbackMs === undefined) return Infinity;
    const isHeld = this.#delayMs > 0 && this.#shortSinceMs !== undefined;
    const heldSinceMs = isHeld ? waitsSince(wait, this.#shortSinceMs ?? 0) : Infinity;
    return (wait.sinceMs ?? heldSinceMs) + fallbackMs;
  }

  /** True for a call that was not sent yet when a probe is due: somebody has to see whether there is room again. */
  #isProbeFor({ sinceMs }: TierWait, nowMs: number): boolean {
    return sinceMs === undefined && this.#probe === undefined && nowMs >= this.#probeAtMs;
  }

  #failed(call: CallSize, sent: Sent, askedMs: number, nowMs: number): readonly LimitEvent[] {
    const { fallbackMs, capacityTimeoutMs } = this.#options;
    const sinceMs = (this.#shortSinceMs ??= nowMs);
    if (fallbackMs === undefined && nowMs - sinceMs > capacityTimeoutMs)
      return [{ type: "stalled", durationMs: capacityTimeoutMs }];
    if (call.tierWait !== undefined) call.tierWait.sinceMs ??= waitsSince(call.tierWait, sinceMs);
    const again: LimitEvent = { type: "again", afterMs: askedMs };
    // Whoever is still out may yet be answered: failures come sooner than answers.
    const isDue = this.#delayMs > 0 ? call === this.#probe : this.#cliff.isReached(sent, this.#sentCount, 0, nowMs);
    return isDue ? [this.#close(askedMs, nowMs), again] : [again];
  }

  #close(askedMs: number, nowMs: number): LimitEvent {
    const { random, probeDelayMs } = this.#options;
    const [shortest, longest] = probeDelayMs;
    // Room that was there for a moment only is no reason to look for it more often.
    const openedBeforeMs = nowMs - this.#opened.atMs < longest ? this.#opened.delayMs : 0;
    this.#delayMs = Math.min(longest, Math.max(shortest, 1, 2 * (this.#delayMs || openedBeforeMs)));
    const durationMs = Math.max(askedMs, this.#delayMs * (0.5 + 0.5 * random()));
    this.#probeAtMs = nowMs + durationMs;
    this.#probe = undefined;
    return { type: "pause", reason: "capacity", durationMs };
  }

  #open(nowMs: number): void {
    this.#opened = { atMs: nowMs, delayMs: this.#delayMs };
    this.#delayMs = 0;
    this.#cliff.restart(this.#sentCount);
  }
}
