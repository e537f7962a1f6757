import type { RowOutcome, RunEvent } from "../contracts/events.ts";
import type { TimeSlice } from "../contracts/run-detail.ts";

/** The length of a slice, in milliseconds. */
const sliceMs = 10_000;

/** Saved slices are held this much longer, for what a gate's time may still add to them. */
const heldMs = 6 * sliceMs;

interface Counts {
  readonly startedAtMs: number;
  readonly rows: Record<RowOutcome, number>;
  calls: number;
  rateLimited: number;
  gateClosedMs: number;
  isSaved: boolean;
}

/** Counts a run's events by slices of time. */
export class Timeline {
  readonly #now: () => number;
  readonly #slices = new Map<number, Counts>();
  /** No time goes back, whatever the clock does: slices that were saved are not begun anew. */
  #lastMs = 0;
  /** The gate's time is counted up to here. */
  #countedMs = 0;
  #closedUntilMs = 0;

  /** `now` gives the time in milliseconds since 1970. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  add(event: RunEvent): void {
    if (event.type === "row-end") this.#current().rows[event.outcome] += 1;
    if (event.type === "call-end" && event.wasSent !== false) {
      const slice = this.#current();
      slice.calls += 1;
      if (event.errorCode === "RATE_LIMITED") slice.rateLimited += 1;
    }
    if (event.type === "gate-close") {
      this.#countGate();
      this.#closedUntilMs = Math.max(this.#closedUntilMs, this.#lastMs + event.durationMs);
    }
  }

  /** The slices that have changed since they were last taken. */
  take(): readonly TimeSlice[] {
    this.#countGate();
    const changed = [...this.#slices.values()].filter(({ isSaved }) => !isSaved);
    for (const slice of changed) slice.isSaved = true;
    for (const start of this.#slices.keys()) if (start < this.#lastMs - heldMs) this.#slices.delete(start);
    return changed.map(({ startedAtMs, rows, calls, rateLimited, gateClosedMs }) => ({
      startedAt: new Date(startedAtMs),
      rows: { ...rows },
      calls,
      rateLimited,
      gateClosedMs: Math.round(gateClosedMs),
    }));
  }

  /** Adds the time for which the gate was closed since it was last counted, to each slice its part. */
  #countGate(): void {
    this.#tick();
    const end = Math.min(this.#lastMs, this.#closedUntilMs);
    while (this.#countedMs < end) {
      const slice = this.#at(this.#countedMs);
      const until = Math.min(end, slice.startedAtMs + sliceMs);
      slice.gateClosedMs += until - this.#countedMs;
      this.#countedMs = until;
    }
    this.#countedMs = Math.max(this.#countedMs, this.#lastMs);
  }

  #current(): Counts {
    this.#tick();
    return this.#at(this.#lastMs);
  }

  #tick(): void {
    this.#lastMs = Math.max(this.#lastMs, this.#now());
  }

  #at(ms: number): Counts {
    const startedAtMs = ms - (ms % sliceMs);
    const known = this.#slices.get(startedAtMs);
    if (known !== undefined) {
      known.isSaved = false;
      return known;
    }
    const rows = { written: 0, unchanged: 0, failed: 0, skipped: 0, pending: 0 };
    const slice: Counts = { startedAtMs, rows, calls: 0, rateLimited: 0, gateClosedMs: 0, isSaved: false };
    this.#slices.set(startedAtMs, slice);
    return slice;
  }
}
