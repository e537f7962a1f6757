import assert from "node:assert/strict";
import { test } from "node:test";
import { billCases, compareBill } from "./support/compared-bills.ts";

for (const one of billCases) {
  test(`the report's cost is that of the service's bill: ${one.name}`, async () => {
    const { isAsExpected, ratio, cachedShare, writtenShare } = await compareBill(one, 120);
    assert.ok(isAsExpected, `${ratio}, expected ${one.expected}`);
    assert.ok(cachedShare > 0.5 && writtenShare > 0, "prompts are read from the cache, and written to it");
  });
}
