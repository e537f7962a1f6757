import type { StepFigures } from "../contracts/run-detail.ts";

/** Each bucket is so much wider than the one before: what is read from its middle is right to within 5 %. */
const growth = 1.1;

/** Latencies by buckets: as much memory for ten million calls as for a hundred. */
export class Latencies {
  readonly #counts: number[] = [];
  #count = 0;
  #maxMs = 0;

  add(ms: number): void {
    const bucket = ms <= 1 ? 0 : Math.ceil(Math.log(ms) / Math.log(growth));
    while (this.#counts.length <= bucket) this.#counts.push(0);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  /** null where there is none. */
  get figures(): StepFigures["latency"] {
    if (this.#count === 0) return null;
    return { p50Ms: this.#quantile(0.5), p95Ms: this.#quantile(0.95), maxMs: Math.round(this.#maxMs) };
  }

  #quantile(share: number): number {
    let left = Math.ceil(share * this.#count);
    const bucket = this.#counts.findIndex((count) => (left -= count) <= 0);
    return Math.round(Math.min(this.#maxMs, growth ** (bucket - 0.5)));
  }
}
