import type { Draws } from "./request-hash.ts";

/** The time until an answer, in milliseconds: fixed, or lognormally distributed. */
export type SimulatorLatency = number | { readonly median: number; readonly sigma: number };

/** The time that a request waits for its answer, in milliseconds. Equal draws give equal times. */
export function latencyOf(latency: SimulatorLatency, draws: Draws): number {
  if (typeof latency === "number") return latency;
  const { median, sigma } = latency;
  // Box and Muller: two uniform draws make a normal one. 1 - share is never 0, whose logarithm is infinite.
  const normal = Math.sqrt(-2 * Math.log(1 - draws.share(1))) * Math.cos(2 * Math.PI * draws.share(2));
  return median * Math.exp(sigma * normal);
}
