import type { Draws } from "./request-hash.ts";

/** How long an answer takes, in milliseconds: always the same, or spread as the lognormal distribution is. */
export type SimulatorLatency = number | { readonly median: number; readonly sigma: number };

/** What a request waits for its answer: the same request, seen as often before, waits as long. */
export function latencyOf(latency: SimulatorLatency, draws: Draws): number {
  if (typeof latency === "number") return latency;
  const { median, sigma } = latency;
  // Box and Muller: two even draws make one that is normal. 1 - share is never 0, whose logarithm is infinite.
  const normal = Math.sqrt(-2 * Math.log(1 - draws.share(1))) * Math.cos(2 * Math.PI * draws.share(2));
  return median * Math.exp(sigma * normal);
}
