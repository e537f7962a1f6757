import type { GeneratedService } from "./generator.ts";
import { loop } from "./loop.ts";
import type { MakePolicy } from "./policy.ts";
import type { Scenario } from "./scenarios.ts";
import { simulate, type SimulationResult, type Workload } from "./simulation.ts";

/** What a policy cost on one service. */
export interface Figures {
  /** By that of a client with perfect knowledge, or by the loop's. */
  readonly wall: number;
  /** 429s an answer, beyond one round of the calls in flight: that many are out when the first 429 comes. */
  readonly rejections: number;
  /** Calls that used up their retries, or were not answered in the time of the simulation. */
  readonly lost: number;
}

export interface ScenarioFigures extends Figures {
  /** The budgets that are missed: "wall", "429s", "lost". */
  readonly missed: readonly string[];
}

export interface GeneratedFigures extends Figures {
  /** The 429s an answer that come whatever the pace. */
  readonly expected: number;
  /** {@link rejections} without those. */
  readonly avoidable: number;
}

/** Runs a scenario once with each seed: wall and 429s are medians, and of lost calls the most count. */
export function judgeScenario(scenario: Scenario, makePolicy: MakePolicy, seeds: readonly number[]): ScenarioFigures {
  const results = seeds.map((seed) => simulate(scenario, makePolicy, { seed }));
  const { wall: wallBudget, idealMs } = scenario;
  const bestMs =
    wallBudget.by === "ideal" ? idealMs : median(seeds.map((seed) => simulate(scenario, loop, { seed }).wallMs));
  const wall = median(results.map(({ wallMs }) => wallMs)) / bestMs;
  const rejections = median(results.map((result) => rejectionsOverOneRound(scenario, result)));
  const lost = Math.max(...results.map((result) => result.lost + result.unfinished));
  const missed = [
    ...(wall > wallBudget.most ? ["wall"] : []),
    ...(rejections > scenario.rejections ? ["429s"] : []),
    ...(lost > 0 ? ["lost"] : []),
  ];
  return { wall, rejections, lost, missed };
}

/** Runs a generated service once, with a seed of its own. */
export function judgeService(service: GeneratedService, makePolicy: MakePolicy): GeneratedFigures {
  const result = simulate(service, makePolicy, { seed: service.seed + 5 });
  const rejections = rejectionsOverOneRound(service, result);
  const expected = service.sporadicShare / (1 - service.sporadicShare);
  const avoidable = Math.max(0, rejections - expected);
  const wall = result.wallMs / service.idealMs;
  return { wall, rejections, expected, avoidable, lost: result.lost + result.unfinished };
}

function rejectionsOverOneRound({ calls, concurrency }: Workload, { rejected }: SimulationResult): number {
  return Math.max(0, rejected - concurrency) / calls;
}

/** The value that so large a share of the values is at or below. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
