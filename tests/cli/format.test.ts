import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunFigures } from "../../src/contracts/report.ts";
import { figures } from "../support/journal-file.ts";
import {
  formatCodes,
  formatCost,
  formatCount,
  formatDuration,
  formatRate,
  formatRunCost,
  formatSaved,
  formatThings,
  formatTime,
  inOneLine,
  shortId,
} from "../../src/cli/format.ts";

test("counts have their thousands set apart", () => {
  assert.deepEqual([0, 999, 1_234_567].map(formatCount), ["0", "999", "1,234,567"]);
});

test("things are counted in words", () => {
  const words = [0, 1, 1234].map((count) => formatThings(count, "row"));
  assert.deepEqual(words, ["0 rows", "1 row", "1,234 rows"]);
});

test("amounts show two decimals, small ones the digits that say something, and no prices a dash", () => {
  const cost = (amount: number): string => formatCost({ amount, currency: "USD" });
  const amounts = [0, 1234.5, 1, 0.5, 0.034_567, 0.000_001_234];
  assert.deepEqual(amounts.map(cost), [
    "0.00 USD",
    "1,234.50 USD",
    "1.00 USD",
    "0.50 USD",
    "0.0346 USD",
    "0.00000123 USD",
  ]);
  assert.equal(formatCost(null), "-");
});

test("the cost of a run is marked where it is by list prices, and says which calls it leaves out", () => {
  const cost = (given: Partial<RunFigures>, unpricedCalls?: number): string => {
    const { usage } = figures();
    return formatRunCost(figures({ ...given, usage: { ...usage, unpricedCalls } }));
  };
  const amount = { amount: 2, currency: "USD" };
  const priceSource = "@pydantic/genai-prices 0.1.8";
  assert.equal(cost({ cost: null }), "-");
  assert.equal(cost({ cost: amount }), "2.00 USD");
  assert.equal(cost({ cost: amount, priceSource }), `2.00 USD (list price, ${priceSource})`);
  assert.match(cost({ cost: null, unlistedModels: ["gpt-99", "ft:m"] }, 3), /gpt-99, ft:m$/);
  assert.match(cost({ cost: amount }, 3), /^2\.00 USD, .* 3 calls/);
  const all = cost({ cost: amount, priceSource, unlistedModels: ["gpt-99"] }, 1);
  for (const part of ["2.00 USD", priceSource, "1 call ", "gpt-99"]) assert.ok(all.includes(part), all);
});

test("what was saved is tokens, and money where there are prices", () => {
  assert.equal(formatSaved(1200, 30, null), "1,200 input and 30 output tokens");
  assert.equal(formatSaved(1200, 30, { amount: 2, currency: "EUR" }), "1,200 input and 30 output tokens, 2.00 EUR");
});

test("a rate has three digits, large ones all before the point", () => {
  const rates = [0, 0.4567, 1, 12.34, 99.96, 100.4, 1234.5].map(formatRate);
  assert.deepEqual(rates, ["0", "0.457", "1", "12.3", "100", "100", "1,235"]);
});

test("codes come with how often they occurred, the most frequent first", () => {
  assert.equal(
    formatCodes({ REFUSAL: 2, EMPTY_INPUT: 1234, TIMEOUT: 2 }),
    "1,234 × EMPTY_INPUT, 2 × REFUSAL, 2 × TIMEOUT",
  );
  assert.equal(formatCodes({}), "");
});

test("a run is known by the first 8 characters of its id", () => {
  assert.equal(shortId("0a1b2c3d-4e5f"), "0a1b2c3d");
});

test("a duration has its two largest units, and is never rounded up to the next", () => {
  const durations: [number, string][] = [
    [0, "0 ms"],
    [999, "999 ms"],
    [1000, "1.0 s"],
    [59_999, "59.9 s"],
    [60_000, "1 min 00 s"],
    [3_599_999, "59 min 59 s"],
    [3_600_000, "1 h 00 min"],
    [86_399_999, "23 h 59 min"],
    [90_000_000, "1 d 01 h"],
  ];
  for (const [milliseconds, text] of durations) assert.equal(formatDuration(milliseconds), text);
});

test("a time is local, to the second", () => {
  assert.equal(formatTime(new Date(2026, 0, 2, 3, 4, 5)), "2026-01-02 03:04:05");
});

test("text from elsewhere can't break a line or command a terminal", () => {
  assert.equal(inOneLine("a\r\nb\u001B[31mc\u0085"), "a b [31mc ");
});
