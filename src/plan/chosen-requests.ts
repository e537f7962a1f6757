import type { OpenRequest, RowPlace } from "./open-requests.ts";
import { chooseSample, inRandomOrder, type Stratum, sum } from "./sample.ts";

/** The requests that are asked, and all that they stand for. */
export interface ChosenRequests {
  readonly strata: readonly Stratum[];
  /** In the order in which they are asked: the first of them are a sample, too. */
  readonly requests: readonly OpenRequest[];
  /** The rows to ask them for, in that order. */
  readonly places: readonly RowPlace[];
  /** The number of requests that they were chosen from. */
  readonly of: number;
}

/** A step with requests has this many in the sample, or all that it has. */
const leastOfStep = 6;

/**
 * Chooses requests to ask: of each step at which rows stand as many as its share of all their tokens, for what a step takes is alike.
 *
 * @param count The number of requests wanted; a few more where several steps have requests.
 */
export function chooseRequests(all: readonly OpenRequest[], count: number, random: () => number): ChosenRequests {
  const open = all.filter(({ rows }) => rows > 0);
  const size = sum(open.map((one) => one.size));
  const strata = [...Map.groupBy(open, ({ step }) => step).values()].flatMap((ofStep) => {
    const share = size === 0 ? 1 : sum(ofStep.map((one) => one.size)) / size;
    return chooseSample(ofStep, Math.max(Math.min(leastOfStep, count), Math.round(count * share)), random);
  });
  const byKey = new Map(open.map((request) => [request.key, request]));
  const requests = inRandomOrder(strata, random).flatMap(({ key }) => byKey.get(key) ?? []);
  return { strata, requests, places: requests.flatMap(({ places }) => places), of: open.length };
}
