import assert from "node:assert/strict";
import { test } from "node:test";
import { retryAfterForms, retryAfterHeaders } from "../../../src/testing/simulator/retry-after.ts";

const nowMs = Date.parse("2026-11-29T12:00:00.400Z");

test("a wait in seconds or as a date is whole, and never earlier than in milliseconds", () => {
  assert.deepEqual(retryAfterHeaders("both", 1200), ["retry-after-ms", "1200", "retry-after", "2"]);
  assert.deepEqual(retryAfterHeaders("milliseconds", 1200), ["retry-after-ms", "1200"]);
  assert.deepEqual(retryAfterHeaders("seconds", 1200), ["retry-after", "2"]);
  assert.deepEqual(retryAfterHeaders("date", 1200, nowMs), ["retry-after", "Sun, 29 Nov 2026 12:00:02 GMT"]);
});

test("no wait at all is no header, and a wait of zero is one that has passed", () => {
  for (const form of retryAfterForms) assert.deepEqual(retryAfterHeaders(form, undefined, nowMs), [], form);
  assert.deepEqual(retryAfterHeaders("both", 0), ["retry-after-ms", "0", "retry-after", "0"]);
  assert.deepEqual(retryAfterHeaders("date", 0, nowMs), ["retry-after", "Sun, 29 Nov 2026 12:00:00 GMT"]);
});
