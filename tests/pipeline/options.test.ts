import assert from "node:assert/strict";
import { test } from "node:test";
import { checkOptions } from "../../src/errors/options.ts";
import { runChecks, type RunOptions } from "../../src/pipeline/options.ts";

const check = (options: RunOptions): void => checkOptions("run", options, runChecks);

test("durations that a timer can't wait for are refused: Node would take them for a millisecond", () => {
  check({ gracePeriodMs: 2 ** 31 - 1 });
  check({ gracePeriodMs: 0 });
  assert.throws(() => check({ gracePeriodMs: 2 ** 31 }), {
    facts: { where: "gracePeriodMs", expected: "whole milliseconds from 0 to 2147483647", got: "2147483648" },
  });
  assert.throws(() => check({ gracePeriodMs: 0.5 }), { code: "INVALID_OPTION" });
});

test("run options are checked by kind", () => {
  check({ limit: 1, concurrency: 2, maxCalls: 3, maxCost: 0.5, signal: AbortSignal.abort(), onEvent: () => {} });
  for (const wrong of [
    { limit: 0 },
    { maxCalls: 1.5 },
    { maxCost: -1 },
    { signal: {} },
    { onEvent: 1 },
    { parameters: "x" },
  ]) {
    assert.throws(() => check(wrong as RunOptions), { code: "INVALID_OPTION" }, JSON.stringify(wrong));
  }
});
