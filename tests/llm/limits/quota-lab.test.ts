import assert from "node:assert/strict";
import { test } from "node:test";
import { ours } from "../../../benchmarks/quota-lab-policy.ts";
import { judgeScenario, judgeService, median, quantile } from "../../support/quota-lab/figures.ts";
import { generateService } from "../../support/quota-lab/generator.ts";
import { loop } from "../../support/quota-lab/loop.ts";
import { scenarios } from "../../support/quota-lab/scenarios.ts";
import { simulate } from "../../support/quota-lab/simulation.ts";

const seed = 1;

for (const scenario of scenarios) {
  test(`in the laboratory, the limiters keep the budgets of: ${scenario.name}`, () => {
    const { missed, ...figures } = judgeScenario(scenario, ours, [seed]);
    assert.deepEqual(missed, [], JSON.stringify(figures));
  });
}

test("on random services of the laboratory, nothing is lost, and wall time and 429s stay within loose bounds", () => {
  const services = Array.from({ length: 120 }, (_, seed) => generateService(seed));
  const all = services.map((service) => ({ name: service.name, ...judgeService(service, ours) }));
  assert.deepEqual(
    all.filter(({ lost }) => lost > 0),
    [],
  );
  const walls = all.map(({ wall }) => wall);
  const rejections = all.map(({ avoidable }) => avoidable);
  assertAtMost(median(walls), 1.06, "wall by ideal, median");
  assertAtMost(quantile(walls, 0.9), 1.7, "wall by ideal, 90 %");
  assertAtMost(median(rejections), 0.005, "429s an answer over one round, median");
  assertAtMost(quantile(rejections, 0.9), 0.12, "429s an answer over one round, 90 %");
});

function assertAtMost(figure: number, most: number, name: string): void {
  assert.ok(figure <= most, `${name}: ${figure}, at most ${most} expected`);
}

test("the laboratory tells a policy that is too eager from one that is not: a hand-written loop misses budgets", () => {
  const slow = scenarios.find(({ name }) => name.startsWith("a slow server of 1 slot"));
  const exact = scenarios.find(({ name }) => name === "quota 200/s, 100 ms, 64 in flight, tells exact");
  assert.ok(slow !== undefined && exact !== undefined);
  assert.ok(judgeScenario(slow, loop, [seed]).missed.includes("lost"));
  assert.deepEqual(judgeScenario(exact, loop, [seed]).missed, ["429s"]);
});

test("the laboratory gives the same figures each time, and counts every attempt", () => {
  const service = generateService(38);
  const results = [1, 2].map(() => simulate(service, ours, { seed }));
  assert.deepEqual(results[0], results[1]);
  for (const { done, lost, unfinished, sent, rejected, failed } of results) {
    assert.equal(done + lost + unfinished, service.calls);
    assert.equal(done + rejected + failed, sent);
  }
});
