import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Pacer } from "../../../src/llm/limits/pacer.ts";

/** When calls leave that all want to at once: their times in milliseconds. */
function departures(pacer: Pacer, tokens: readonly number[]): number[] {
  let nowMs = 0;
  return tokens.map((amount) => {
    nowMs += pacer.waitMs(amount, nowMs);
    pacer.take(amount, nowMs);
    return nowMs;
  });
}

test("without a quota nothing waits", () => {
  assert.equal(new Pacer({}, 0).waitMs(1_000_000, 0), 0);
});

test("no second sees more requests than the quota has for it", () => {
  const times = departures(
    new Pacer({ rpm: 12_000 }, 0),
    Array.from({ length: 2000 }, () => 1),
  );
  for (let start = 0; start < 9000; start += 100) {
    const inWindow = times.filter((time) => time >= start && time < start + 1000).length;
    assert.ok(inWindow <= 200, `${inWindow} requests in the second from ${start} ms`);
  }
  const last = times.at(-1) ?? 0;
  assert.ok(last < (2000 / 200) * 1000 * 1.06, `the quota is used to 95 %: ${last} ms`);
});

test("no minute sees more tokens than the quota, whatever the calls' sizes", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 50, maxLength: 300 });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 10_000, max: 200_000 }), (tokens, tpm) => {
      const times = departures(new Pacer({ tpm }, 0), tokens);
      for (const start of times) {
        const inWindow = tokens.filter(
          (_, index) => (times[index] ?? 0) >= start && (times[index] ?? 0) < start + 60_000,
        );
        const sum = inWindow.reduce((total, amount) => total + amount, 0);
        // A call larger than the bucket leaves a debt: it may be over by that one call.
        assert.ok(sum <= tpm + 5000, `${sum} of ${tpm} tokens`);
      }
    }),
    { numRuns: 40, seed: 5 },
  );
});

test("a call larger than a second's tokens goes all the same, and the next ones wait for it", () => {
  const pacer = new Pacer({ tpm: 6000 }, 0);
  assert.equal(pacer.waitMs(3000, 0), 0);
  pacer.take(3000, 0);
  assert.ok(pacer.waitMs(1, 0) > 28_000);
});
