import assert from "node:assert/strict";
import { test } from "node:test";
import type { ChatMessage } from "../../../src/contracts/provider.ts";
import { faultFor, faultNames, type SimulatorFaults } from "../../../src/testing/simulator/faults.ts";
import { drawsFor } from "../../../src/testing/simulator/request-hash.ts";

const row = (index: number): readonly ChatMessage[] => [{ role: "user", content: `row ${index}` }];
const meet = (faults: SimulatorFaults, index: number, time = 0, seed = 1) =>
  faultFor(faults, seed, row(index), drawsFor(seed, index, time));

test("shares add up over many requests, those of the row's own faults beside the others", () => {
  const faults: SimulatorFaults = { serverError: 0.1, refusal: 0.2, invalidJSON: 0.05, contextLength: 0.1, hang: 0 };
  const counts = new Map<string | undefined, number>();
  for (let index = 0; index < 20_000; index += 1) {
    const met = meet(faults, index);
    counts.set(met, (counts.get(met) ?? 0) + 1);
  }
  for (const [name, share] of Object.entries(faults)) {
    const got = (counts.get(name) ?? 0) / 20_000;
    assert.ok(Math.abs(got - share) < 0.01, `${name}: ${got}`);
  }
  assert.ok(Math.abs((counts.get(undefined) ?? 0) / 20_000 - 0.55) < 0.015);
});

test("a share of 1 is every request, of 0 none, whichever the fault", () => {
  for (const name of faultNames) {
    for (let index = 0; index < 50; index += 1) {
      assert.equal(meet({ [name]: 1 }, index), name);
      assert.equal(meet({ [name]: 0 }, index), undefined);
    }
  }
});

test("a fault of the moment is another one at the next try; one of the row's own stays, in a re-ask, too", () => {
  const passing = new Set(Array.from({ length: 40 }, (_, time) => meet({ serverError: 0.5 }, 7, time)));
  assert.ok(passing.has("serverError") && passing.has(undefined));
  for (let index = 0; index < 50; index += 1) {
    const first = meet({ refusal: 0.5 }, index);
    const conversation: ChatMessage[] = [
      ...row(index),
      { role: "assistant", content: "{" },
      { role: "user", content: "again" },
    ];
    assert.equal(faultFor({ refusal: 0.5 }, 1, conversation, drawsFor(1, index + 1000, 3)), first);
  }
});

test("another seed lets other requests go wrong", () => {
  const of = (seed: number) =>
    Array.from({ length: 100 }, (_, index) => meet({ html: 0.5 }, index, 0, seed) ?? "-").join();
  assert.equal(of(1), of(1));
  assert.notEqual(of(1), of(2));
});
