import assert from "node:assert/strict";
import { test } from "node:test";
import { QuotaUnit } from "../../../src/llm/limits/quota-unit.ts";
import { lognormal, randomFrom } from "../../support/quota-lab/random.ts";

const sizeOf = lognormal(1500, 0.6);

/** A service whose bucket holds ten calls of the mean size and fills evenly; calls go at its pace, in the unit that is believed. */
function run({ countsCalls, seed, callCount = 5000, size = sizeOf, burst = 10 }: RunOptions) {
  const random = randomFrom(seed);
  const unit = new QuotaUnit();
  const meanTokens = 1500 * Math.exp(0.18);
  let level = burst;
  let rejectedCount = 0;
  let asCallsCount = 0;
  for (let number = 0; number < callCount; number += 1) {
    const tokens = size(random);
    const cost = unit.costOf(tokens);
    if (cost !== tokens) asCallsCount += 1;
    const taken = countsCalls ? 1 : tokens / meanTokens;
    if (level >= taken) level -= taken;
    else {
      rejectedCount += 1;
      unit.rejected();
    }
    level = Math.min(burst, level + cost / meanTokens); // the next call goes once this much has come back
  }
  return { rejectedCount, asCallsShare: asCallsCount / callCount };
}

interface RunOptions {
  readonly countsCalls: boolean;
  readonly seed: number;
  readonly callCount?: number;
  readonly size?: (random: () => number) => number;
  readonly burst?: number;
}

const seeds = [1, 2, 3, 4, 5];

test("a service that counts calls is paced in calls after some rejections", () => {
  for (const seed of seeds) assert.ok(run({ countsCalls: true, seed }).asCallsShare > 0.8, `seed ${seed}`);
});

test("a service that counts tokens is paced in tokens", () => {
  for (const seed of seeds) assert.ok(run({ countsCalls: false, seed }).asCallsShare < 0.2, `seed ${seed}`);
});

test("a unit that chance suggested is given up again: no service is paced in the wrong one for good", () => {
  const shares = Array.from({ length: 20 }, (_, seed) => {
    const random = randomFrom(seed);
    const unit = new QuotaUnit();
    let asCallsCount = 0;
    for (let number = 0; number < 5000; number += 1) {
      const tokens = sizeOf(random);
      if (unit.costOf(tokens) !== tokens) asCallsCount += 1;
      if (random() < 0.03) unit.rejected();
    }
    return asCallsCount / 5000;
  });
  assert.ok(shares.reduce((sum, share) => sum + share, 0) / shares.length < 0.5, shares.join(" "));
});

test("calls of one size cost what they are, however often they are rejected", () => {
  const { asCallsShare } = run({ countsCalls: true, seed: 1, size: () => 1500, burst: 0.5 });
  assert.equal(asCallsShare, 0);
});
