import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { amountOf, billionthsOf, limitInBillionths } from "../../src/spending/amount.ts";
import { granted } from "../../src/spending/granted.ts";

test("a cost of up to nine decimals is exact; more are rounded up, and those of a limit down", () => {
  assert.deepEqual([0.29, 0.1 + 0.2, 1e-9, 0, 12_345.678901234].map(billionthsOf), [
    290_000_000n,
    300_000_000n,
    1n,
    0n,
    12_345_678_901_234n,
  ]);
  assert.deepEqual([billionthsOf(1.2e-9), limitInBillionths(1.9e-9), limitInBillionths(0.29)], [2n, 1n, 290_000_000n]);
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 15n }), (billionths) => {
      assert.equal(billionthsOf(amountOf(billionths)), billionths);
      assert.equal(limitInBillionths(amountOf(billionths)), billionths);
    }),
  );
});

test("what is granted fits under every limit, and the first that is not does not fit", () => {
  const amount = fc.bigInt({ min: 0n, max: 40n });
  const limit = fc.record({ settled: amount, reserved: amount, most: fc.bigInt({ min: 0n, max: 200n }) });
  fc.assert(
    fc.property(fc.array(amount), fc.array(limit, { minLength: 1, maxLength: 3 }), (amounts, given) => {
      const times = { name: "day", from: new Date(0), until: new Date(1) };
      const before = given.map(({ settled, reserved, most }) => ({ limit: { ...times, most }, settled, reserved }));
      const { count, limits } = granted(
        amounts.map((each) => ({ amount: each })),
        before,
      );
      for (const {
        limit: { most },
        settled,
        reserved,
      } of count > 0 ? limits : [])
        assert.ok(settled + reserved <= most);
      const next = amounts[count];
      if (next === undefined) return;
      assert.ok(limits.some(({ limit: { most }, settled, reserved }) => settled + reserved + next > most));
    }),
  );
});
