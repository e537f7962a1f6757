import type { Unit } from "../../src/plan/sample.ts";
import { lognormal, type Random, randomFrom } from "./quota-lab/random.ts";

export const names = ["cost", "inputTokens", "cachedTokens", "outputTokens", "calls", "durationMs", "failed"] as const;

export type Name = (typeof names)[number];

/** All that is measured of a unit: the cost in USD, tokens, milliseconds, and 1 for a unit that failed. */
export type Measured = Readonly<Record<Name, number>>;

/** A made table of requests, and what asking each of them would measure, which a sample sees in part only. */
export interface PlanTable {
  readonly units: readonly Unit[];
  readonly measuredOf: (unit: Unit) => Measured;
  /** The sums over all units: failures by rows. */
  readonly truth: Measured;
}

/** The number of characters of the text of a row. */
export type Lengths = (random: Random, position: number) => number;

export const lengths = {
  lognormal: lognormal(900, 0.9),
  heavyTailed: (random) => 300 / (1 - random()) ** (1 / 1.3),
  bimodal: (random) => (random() < 0.7 ? lognormal(250, 0.3) : lognormal(6000, 0.4))(random),
  sorted: lognormal(900, 0.9),
} satisfies Record<string, Lengths>;

/** Shapes that the estimator was not made for. */
export const otherLengths = {
  giants: (random) => (random() < 0.01 ? 100_000 + 200_000 * random() : lognormal(800, 0.7)(random)),
  equal: () => 1000,
  twoSizes: (random) => (random() < 0.9 ? 500 : 8000),
  uniform: (random) => 20_000 * random(),
} satisfies Record<string, Lengths>;

/** How a model and its service behave over a table. */
export interface Behaviour {
  /** Of the system message and the examples, which stand before each text. */
  readonly promptTokens: number;
  /** How much characters per token differ between texts: the sigma of a lognormal. */
  readonly tokenNoise: number;
  /** Output tokens of an answer: so many, and such a share of the text's tokens, with noise. */
  readonly answerTokens: number;
  readonly answerShare: number;
  readonly answerNoise: number;
  /** The share of answers that are invalid, and are asked for again, three times in all; more of long texts than of short ones. */
  readonly invalidRate: number;
  /** The share of units that the model declines: no output, and the row fails. */
  readonly declineRate: number;
  /** The share of calls whose prompt is read from the service's cache: of none where the prompt is short. */
  readonly cachedRate: number;
  /** Answers of the last row are so much longer than those of the first. */
  readonly trend: number;
}

/** Services differ: so do tables. */
export function someBehaviour(random: Random): Behaviour {
  return {
    promptTokens: 100 + 1400 * random(),
    tokenNoise: 0.04 + 0.12 * random(),
    answerTokens: 10 + 150 * random(),
    answerShare: random() < 0.5 ? 0 : 0.15 * random(),
    answerNoise: 0.15 + 0.35 * random(),
    invalidRate: 0.04 * random(),
    declineRate: 0.01 * random(),
    cachedRate: 0.8 + 0.2 * random(),
    trend: 1,
  };
}

export interface TableOptions {
  readonly rows: number;
  readonly lengths: Lengths;
  readonly isSorted?: boolean;
  /** The share of rows with the request of another row. */
  readonly duplicates?: number;
  /** The share of requests that were answered before: they are no units. */
  readonly answered?: number;
  readonly behaviour?: Behaviour;
  readonly seed: number;
}

const charactersPerToken = 4;
/** In USD for a million tokens. */
const prices = { input: 2.5, cached: 0.25, output: 10 };
const mostAttempts = 3;
/** Services do not cache shorter prompts. */
const leastCachedTokens = 1024;

export function planTable(options: TableOptions): PlanTable {
  const { rows, isSorted = false, duplicates = 0, answered = 0, seed } = options;
  const random = randomFrom(seed);
  const behaviour = options.behaviour ?? someBehaviour(random);
  const distinct = Math.max(1, Math.round(rows * (1 - duplicates)));
  const texts = Float64Array.from({ length: distinct }, (_, position) =>
    Math.min(500_000, Math.ceil(options.lengths(random, position))),
  );
  if (isSorted) texts.sort();
  const rowsOf = new Uint32Array(distinct).fill(1);
  for (let row = distinct; row < rows; row += 1) {
    const text = Math.floor(random() ** 2 * distinct); // some are repeated far more often than others
    rowsOf[text] = (rowsOf[text] ?? 0) + 1;
  }
  const units: Unit[] = [];
  const columns = names.map(() => new Float64Array(distinct));
  const totals = new Float64Array(names.length);
  for (const [position, characters] of texts.entries()) {
    if (random() < answered) continue;
    const size = Math.round(behaviour.promptTokens * charactersPerToken) + characters;
    const unit = { key: String(position), size, rows: rowsOf[position] ?? 1 };
    units.push(unit);
    const measured = measuredOf(behaviour, { characters, place: position / distinct, random });
    for (const [index, name] of names.entries()) {
      const column = columns[index];
      if (column !== undefined) column[position] = measured[name];
      totals[index] = (totals[index] ?? 0) + measured[name] * (name === "failed" ? unit.rows : 1);
    }
  }
  const named = (valueOf: (index: number) => number | undefined): Measured =>
    Object.fromEntries(names.map((name, index) => [name, valueOf(index) ?? 0])) as Record<Name, number>;
  return {
    units,
    measuredOf: ({ key }) => named((index) => columns[index]?.[Number(key)]),
    truth: named((index) => totals[index]),
  };
}

interface Asked {
  readonly characters: number;
  readonly place: number;
  readonly random: Random;
}

function measuredOf(behaviour: Behaviour, { characters, place, random }: Asked): Measured {
  const textTokens = (characters / charactersPerToken) * noise(behaviour.tokenNoise, random);
  const drift = behaviour.trend ** place;
  const answer = (behaviour.answerTokens + behaviour.answerShare * textTokens) * drift;
  const invalidRate = Math.min(0.5, behaviour.invalidRate * (1 + Math.log10(Math.max(1, characters / 1000))));
  const isDeclined = random() < behaviour.declineRate;
  let inputTokens = 0;
  let cachedTokens = 0;
  let outputTokens = 0;
  let durationMs = 0;
  let calls = 0;
  let conversation = behaviour.promptTokens + textTokens;
  let isInvalid = true;
  while (isInvalid && calls < mostAttempts) {
    const tokens = isDeclined ? 0 : Math.ceil(answer * noise(behaviour.answerNoise, random));
    calls += 1;
    inputTokens += conversation;
    if (behaviour.promptTokens >= leastCachedTokens && random() < behaviour.cachedRate)
      cachedTokens += behaviour.promptTokens;
    outputTokens += tokens;
    durationMs += (400 + 12 * tokens) * noise(0.3, random) + (random() < 0.01 ? 20_000 * random() : 0);
    conversation += tokens + 60;
    isInvalid = !isDeclined && random() < invalidRate;
  }
  const cost =
    ((inputTokens - cachedTokens) * prices.input + cachedTokens * prices.cached + outputTokens * prices.output) / 1e6;
  const failed = isDeclined || isInvalid ? 1 : 0;
  return { cost, inputTokens, cachedTokens, outputTokens, calls, durationMs, failed };
}

/** A factor around 1, whose mean is 1. */
function noise(sigma: number, random: Random): number {
  return lognormal(Math.exp(-(sigma ** 2) / 2), sigma)(random);
}
