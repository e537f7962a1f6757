import { constant, lognormal } from "./random.ts";
import { bucket, fixedWindow, free, slots, sporadic } from "./services.ts";
import type { Workload } from "./simulation.ts";
import { tells } from "./tells.ts";

/** A workload with what it may cost. */
export interface Scenario extends Workload {
  readonly name: string;
  /** The time that a client with perfect knowledge would need, in milliseconds, without the latency of the last call. */
  readonly idealMs: number;
  /** The most wall time, by the ideal one or by that of the hand-written loop. */
  readonly wall: { readonly by: "ideal" | "loop"; readonly most: number };
  /** The most 429s an answer, beyond one round of the calls in flight: that many are out when the first 429 comes. */
  readonly rejections: number;
}

/** The time in which a full bucket lets so many calls through, in milliseconds. */
function bucketMs(calls: number, perSecond: number, burst: number): number {
  return ((calls - burst) * 1000) / perSecond;
}

function byIdeal(most: number): Scenario["wall"] {
  return { by: "ideal", most };
}

const byLoop: Scenario["wall"] = { by: "loop", most: 1.2 };

const steadyQuotas: readonly Scenario[] = [
  ...(["exact", "atLeastSecond", "wholeSeconds", "nothing", "zero"] as const).map((tell) => ({
    name: `quota 200/s, 100 ms, 64 in flight, tells ${tell}`,
    calls: 4000,
    concurrency: 64,
    idealMs: bucketMs(4000, 200, 200),
    wall: byIdeal(1.05),
    rejections: 0.02,
    service: bucket({ perSecond: 200, burst: 200, tell: tells[tell], latency: constant(100) }),
  })),
  ...(["exact", "wholeSeconds", "nothing"] as const).map((tell) => ({
    name: `quota 50/s of 10 s, latency lognormal 2 s, 256 in flight, tells ${tell}`,
    calls: 6000,
    concurrency: 256,
    idealMs: bucketMs(6000, 50, 500),
    wall: byIdeal(1.05),
    rejections: 0.02,
    service: bucket({ perSecond: 50, burst: 500, tell: tells[tell], latency: lognormal(2000, 0.6) }),
  })),
  {
    name: "quota barely below the demand (64 in flight at 100 ms: 640/s; quota 600/s)",
    calls: 20_000,
    concurrency: 64,
    idealMs: bucketMs(20_000, 600, 600),
    wall: byIdeal(1.05),
    rejections: 0.03,
    service: bucket({ perSecond: 600, burst: 600, tell: tells.exact, latency: constant(100) }),
  },
  {
    name: "small quota: 1/s, 1 s, 32 in flight",
    calls: 200,
    concurrency: 32,
    idealMs: bucketMs(200, 1, 10),
    wall: byIdeal(1.12),
    rejections: 0.1,
    service: bucket({ perSecond: 1, burst: 10, tell: tells.wholeSeconds, latency: constant(1000) }),
  },
  {
    name: "tokens: 100,000 a second, lognormal 1,500 a call, 128 in flight, 1 s, tells exact",
    calls: 4000,
    concurrency: 128,
    tokens: lognormal(1500, 0.8),
    idealMs: bucketMs(4000 * 1500 * Math.exp(0.32), 100_000, 1_000_000),
    wall: byIdeal(1.08),
    rejections: 0.05,
    service: bucket({
      perSecond: 100_000,
      burst: 1_000_000,
      tell: tells.exact,
      latency: lognormal(1000, 0.4),
      cost: ({ tokens }) => tokens,
    }),
  },
];

const windows: readonly Scenario[] = [
  {
    name: "600 in each minute, 1 s, 64 in flight, tells the rest of the minute",
    calls: 2400,
    concurrency: 64,
    idealMs: 180_000,
    wall: byIdeal(1.1),
    rejections: 0.06,
    service: fixedWindow({ calls: 600, windowMs: 60_000, tell: tells.wholeSeconds, latency: constant(1000) }),
  },
  {
    name: "500 in each 10 s, 500 ms, 128 in flight, tells the rest, whole seconds",
    calls: 5000,
    concurrency: 128,
    idealMs: 90_000,
    wall: byIdeal(1.1),
    rejections: 0.06,
    service: fixedWindow({ calls: 500, windowMs: 10_000, tell: tells.wholeSeconds, latency: lognormal(500, 0.5) }),
  },
];

const otherQuotas: readonly Scenario[] = [
  {
    name: "quota falls from 200/s to 50/s at 10 s, back at 40 s",
    calls: 6000,
    concurrency: 64,
    idealMs: 10_000 + 30_000 + bucketMs(6000 - 200 - 2000 - 1500, 200, 0),
    wall: byIdeal(1.16),
    rejections: 0.02,
    service: bucket({
      perSecond: 200,
      burst: 200,
      tell: tells.exact,
      latency: constant(100),
      changes: [
        [0, 200],
        [10_000, 50],
        [40_000, 200],
      ],
    }),
  },
  {
    name: "quota 200/s and 3 % sporadic 429",
    calls: 4000,
    concurrency: 64,
    idealMs: bucketMs(4000, 200, 200),
    wall: byIdeal(1.15),
    rejections: 0.06,
    service: sporadic({
      p429: 0.03,
      inner: bucket({ perSecond: 200, burst: 200, tell: tells.exact, latency: constant(100) }),
    }),
  },
  {
    name: "another client takes half of 200/s",
    calls: 3000,
    concurrency: 64,
    idealMs: bucketMs(3000, 100, 200),
    wall: byIdeal(1.05),
    rejections: 0.02,
    service: bucket({ perSecond: 200, burst: 200, tell: tells.wholeSeconds, latency: constant(100), taken: 0.5 }),
  },
];

const noQuotas: readonly Scenario[] = [
  {
    name: "sporadic: 3 % 429 (200 ms), 2 % 500, no quota, 5 ms, 64 in flight",
    calls: 20_000,
    concurrency: 64,
    idealMs: (20_000 * 5) / 64,
    wall: byLoop,
    rejections: 0.04,
    service: sporadic({ p429: 0.03, p500: 0.02, inner: free({ latency: constant(5) }) }),
  },
  {
    name: "sporadic: 3 % 429 that tell 1 s, no quota, 200 ms, 64 in flight",
    calls: 10_000,
    concurrency: 64,
    idealMs: (10_000 * 200) / 64,
    wall: byLoop,
    rejections: 0.04,
    service: sporadic({ p429: 0.03, tell: () => 1000, inner: free({ latency: constant(200) }) }),
  },
  {
    name: "sporadic: 10 % 429 that tell nothing, no quota, 200 ms, 64 in flight",
    calls: 10_000,
    concurrency: 64,
    idealMs: (10_000 * 200) / 64,
    wall: byLoop,
    rejections: 0.13,
    service: sporadic({ p429: 0.1, tell: tells.nothing, inner: free({ latency: constant(200) }) }),
  },
  {
    name: "no quota, no fault, 200 ms, 256 in flight",
    calls: 20_000,
    concurrency: 256,
    idealMs: (20_000 * 200) / 256,
    wall: byIdeal(1.03),
    rejections: 0,
    service: free({ latency: constant(200) }),
  },
];

const slowServices: readonly Scenario[] = [
  {
    name: "a slow server of 1 slot, 6 s a call, 64 in flight, time limit 60 s",
    calls: 200,
    concurrency: 64,
    idealMs: 200 * 6000,
    wall: byIdeal(1.1),
    rejections: 0,
    service: slots({ count: 1, latency: constant(6000) }),
  },
  {
    name: "a slow server of 4 slots, 10 s a call, 256 in flight, time limit 60 s",
    calls: 600,
    concurrency: 256,
    idealMs: (600 * 10_000 * Math.exp(0.08)) / 4,
    wall: byIdeal(1.1),
    rejections: 0,
    service: slots({ count: 4, latency: lognormal(10_000, 0.4) }),
  },
  {
    name: "a slow service without a limit, 25 s a call, 64 in flight, time limit 60 s",
    calls: 1280,
    concurrency: 64,
    idealMs: (1280 * 25_000 * Math.exp(0.02)) / 64,
    wall: byIdeal(1.2),
    rejections: 0,
    service: free({ latency: lognormal(25_000, 0.2) }),
  },
];

/** Services as they have been seen, or as their documentation tells, each with its budgets. */
export const scenarios: readonly Scenario[] = [
  ...steadyQuotas,
  ...windows,
  ...otherQuotas,
  ...noQuotas,
  ...slowServices,
];
