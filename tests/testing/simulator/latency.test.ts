import assert from "node:assert/strict";
import { test } from "node:test";
import { latencyOf } from "../../../src/testing/simulator/latency.ts";
import { drawsFor } from "../../../src/testing/simulator/request-hash.ts";

test("a fixed latency is always the same", () => {
  assert.equal(latencyOf(200, drawsFor(1, 1, 0)), 200);
});

test("a lognormal one has its median and its spread, and the same request the same wait", () => {
  const latency = { median: 100, sigma: 0.5 };
  const waits = Array.from({ length: 10_001 }, (_, key) => latencyOf(latency, drawsFor(1, key, 0))).toSorted(
    (a, b) => a - b,
  );
  const at = (share: number): number => waits[Math.floor(share * 10_000)] ?? 0;
  assert.ok(Math.abs(at(0.5) - 100) < 3, String(at(0.5)));
  assert.ok(Math.abs(at(0.8413) - 100 * Math.exp(0.5)) < 8, String(at(0.8413)));
  assert.ok(waits.every((wait) => wait > 0 && Number.isFinite(wait)));
  assert.equal(latencyOf(latency, drawsFor(1, 5, 0)), latencyOf(latency, drawsFor(1, 5, 0)));
  assert.notEqual(latencyOf(latency, drawsFor(1, 5, 0)), latencyOf(latency, drawsFor(1, 5, 1)));
});
