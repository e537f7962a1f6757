import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Limiter } from "../../../src/llm/limits/limiter.ts";
import { pacer } from "../../../src/llm/limits/pacer.ts";

/** When calls leave that all want to at once: their times in milliseconds. */
function departures(limiter: Limiter, sizes: readonly number[]): number[] {
  let nowMs = 0;
  return sizes.map((tokens) => {
    nowMs += limiter.waitMs({ tokens }, nowMs);
    limiter.started({ tokens }, nowMs);
    return nowMs;
  });
}

test("without a quota nothing waits", () => {
  assert.equal(pacer({}).waitMs({ tokens: 1_000_000 }, 0), 0);
});

test("no second sees more requests than the quota has for it", () => {
  const times = departures(
    pacer({ rpm: 12_000 }),
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
      const times = departures(pacer({ tpm }), tokens);
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
  const limiter = pacer({ tpm: 6000 });
  assert.equal(limiter.waitMs({ tokens: 3000 }, 0), 0);
  limiter.started({ tokens: 3000 }, 0);
  assert.ok(limiter.waitMs({ tokens: 1 }, 0) > 28_000);
});
