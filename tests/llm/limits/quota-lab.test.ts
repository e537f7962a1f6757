import assert from "node:assert/strict";
import { test } from "node:test";
import { ours } from "../../../benchmarks/quota-lab-policy.ts";
import { judgeScenario, judgeService, median, quantile } from "../../support/quota-lab/figures.ts";
import { generateService } from "../../support/quota-lab/generator.ts";
import { loop } from "../../support/quota-lab/loop.ts";
import { constant, lognormal } from "../../support/quota-lab/random.ts";
import { scenarios } from "../../support/quota-lab/scenarios.ts";
import { bucket, free, type MakeService } from "../../support/quota-lab/services.ts";
import { simulate } from "../../support/quota-lab/simulation.ts";
import { tells } from "../../support/quota-lab/tells.ts";

const seed = 1;

for (const scenario of scenarios) {
  test(`in the laboratory, the limiters keep the budgets of: ${scenario.name}`, () => {
    const { missed, ...figures } = judgeScenario(scenario, ours, [seed]);
    assert.deepEqual(missed, [], JSON.stringify(figures));
  });
}

test("on random services of the laboratory, nothing is lost, and wall time and 429s stay within loose bounds", () => {
  const services = Array.from({ length: 60 }, (_, seed) => generateService(seed));
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
  assertAtMost(quantile(rejections, 0.9), 0.08, "429s an answer over one round, 90 %");
});

function assertAtMost(figure: number, most: number, name: string): void {
  assert.ok(figure <= most, `${name}: ${figure}, at most ${most} expected`);
}

/** A service that rejects with 503s where the other one does with 429s, as nginx does by default. */
function overloaded(inner: MakeService): MakeService {
  return (random) => {
    const service = inner(random);
    return (call, nowMs) => {
      const reply = service(call, nowMs);
      return reply.status === 429 ? { ...reply, status: 503 } : reply;
    };
  };
}

test("a quota whose rejections are 503s is used as well, and no call runs out of retries", () => {
  for (const [perSecond, burst, concurrency, latencyMs] of [
    [200, 20, 64, 100],
    [50, 5, 16, 100],
    [5, 5, 16, 1000],
  ] as const) {
    const limits = {
      perSecond,
      burst,
      latency: lognormal(latencyMs, 0.2),
      tell: tells.nothing,
      rejectionMs: constant(1),
    };
    const result = simulate({ calls: 60 * perSecond, concurrency, service: overloaded(bucket(limits)) }, ours, {
      seed,
    });
    assert.deepEqual([result.lost, result.unfinished], [0, 0], `${perSecond} a second`);
    assertAtMost(result.wallMs / 60_000, 1.05, `wall by ideal, ${perSecond} a second`);
    assertAtMost(result.failed / (60 * perSecond), 0.1, `503s an answer, ${perSecond} a second`);
  }
});

test("after an outage of 503s the service is used as before, at once", () => {
  const latency = lognormal(100, 0.3);
  for (const seconds of [12, 60, 480]) {
    const endMs = 20_000 + seconds * 1000;
    const service: MakeService = (random) => {
      const inner = free({ latency })(random);
      return (call, nowMs) => (nowMs > 20_000 && nowMs < endMs ? { status: 503, afterMs: 3 } : inner(call, nowMs));
    };
    const result = simulate({ calls: 30_000, concurrency: 64, service }, ours, { seed });
    assert.deepEqual([result.lost, result.unfinished], [0, 0]);
    const leastMs = (30_000 * 105) / 64 + seconds * 1000;
    assertAtMost(result.wallMs - leastMs, 30_000, `time lost to an outage of ${seconds} s`);
    assertAtMost(result.failed, 64 + seconds, "calls that failed");
  }
});

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
