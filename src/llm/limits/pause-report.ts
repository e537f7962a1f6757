import type { EventHandler, RunEvent } from "../../contracts/events.ts";

export type PauseReason = Extract<RunEvent, { readonly type: "gate-close" }>["reason"];

/** A wait that is shorter, or not so much longer than the one reported before, is not reported. */
export const worthReportingMs = 1000;

/** Reports that no call to a provider goes for so long, where that is news: many calls may end alike within moments. */
export class PauseReport {
  readonly #provider: string;
  readonly #emit: EventHandler;
  #untilMs = -Infinity;

  constructor(provider: string, emit: EventHandler) {
    this.#provider = provider;
    this.#emit = emit;
  }

  add(durationMs: number, reason: PauseReason, nowMs: number): void {
    const isKnown = this.#untilMs > nowMs && nowMs + durationMs < this.#untilMs + worthReportingMs;
    if (isKnown) return;
    this.#untilMs = nowMs + durationMs;
    this.#emit({ type: "gate-close", provider: this.#provider, reason, durationMs: Math.ceil(durationMs) });
  }
}
