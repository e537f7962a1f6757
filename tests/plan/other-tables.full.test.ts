// Full lane: twenty seconds of CPU.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Behaviour, lengths, otherLengths, planTable, someBehaviour } from "../support/plan-tables.ts";
import { qualityOf, trial } from "../support/plan-trial.ts";
import { randomFrom } from "../support/quota-lab/random.ts";

/** decisions/0065 has the figures of 200 each. */
const tables = 40;

interface Kind {
  readonly lengths?: (typeof lengths)["lognormal"];
  readonly isSorted?: boolean;
  readonly duplicates?: number;
  readonly rows?: number;
  readonly count?: number;
  readonly behaviour?: Partial<Behaviour>;
}

const quiet = { answerNoise: 0.02, tokenNoise: 0.01, invalidRate: 0, declineRate: 0 };

const kinds: Readonly<Record<string, Kind>> = {
  "with 1 % giant texts": { lengths: otherLengths.giants },
  "with texts of one length": { lengths: otherLengths.equal },
  "with texts of two lengths": { lengths: otherLengths.twoSizes },
  "with texts of any length up to 20,000": { lengths: otherLengths.uniform },
  "whose longest texts are most of it": { lengths: (random) => 300 / (1 - random()) ** (1 / 1.05) },
  "whose answers are four times as long at the end": { behaviour: { trend: 4 } },
  "whose answers are four times as long for the longest": { isSorted: true, behaviour: { trend: 4 } },
  "whose answers have nothing to do with the text": {
    behaviour: { promptTokens: 0, answerShare: 0, answerTokens: 600 },
  },
  "whose answers vary widely": { behaviour: { answerNoise: 1 } },
  "with hardly any noise": { behaviour: quiet },
  "with 2 % re-asks and hardly any noise": {
    behaviour: { ...quiet, answerTokens: 10, answerShare: 0, invalidRate: 0.02 },
  },
  "with 10 % re-asks": { behaviour: { invalidRate: 0.1 } },
  "of which 20 % are declined": { behaviour: { declineRate: 0.2 } },
  "with 90 % duplicates": { duplicates: 0.9 },
  "of which 500 are asked": { count: 500 },
  "of which 30 are asked": { count: 30 },
  "of 300 rows": { lengths: lengths.heavyTailed, rows: 300 },
  "of 130 rows": { rows: 130 },
};

for (const [name, { behaviour, count = 120, ...kind }] of Object.entries(kinds)) {
  test(`the interval of the cost covers the truth of most tables ${name}`, (t) => {
    const trials = Array.from({ length: tables }, (_, index) => {
      const seed = 5_000_011 + index * 7919;
      const whole = { ...someBehaviour(randomFrom(seed + 3)), ...behaviour };
      const options = { rows: 20_000, lengths: lengths.lognormal, ...kind, behaviour: whole, seed };
      return trial(planTable(options), { count, seed: seed + 1 }).cost;
    });
    const quality = qualityOf(trials);
    t.diagnostic(JSON.stringify(quality));
    assert.ok(quality.covered >= 0.85 * tables, JSON.stringify(quality));
  });
}
