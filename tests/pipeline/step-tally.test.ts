import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RunEvent } from "../../src/index.ts";
import { Latencies } from "../../src/pipeline/latencies.ts";
import { StepTally } from "../../src/pipeline/step-tally.ts";
import { callEnd, rowEnd } from "../support/run-events.ts";

function tallyOf(events: readonly RunEvent[], currency: string | null = null) {
  const tally = new StepTally(["kind", "tone", "plain"], currency);
  for (const event of events) tally.add(event);
  return tally.figures;
}

const start = (pk: string, step = "kind"): RunEvent => ({ type: "call-start", step, pk });
const reuse = (step: string, isOfThisRun?: boolean): RunEvent => ({
  isOfThisRun,
  ...{ type: "answer-reuse", step, pk: "r1", model: "m", promptHash: "p", cost: 1 },
  ...{ inputTokens: 100, cachedTokens: 0, outputTokens: 10, reasoningTokens: 0 },
});

test("a step none of whose calls has a known price has no cost, which is not 0", () => {
  const prices = { inputPerMillion: 2, cachedInputPerMillion: 1, outputPerMillion: 8, currency: "USD" };
  const figures = tallyOf([
    callEnd({ step: "kind", cost: null }),
    { type: "list-price", provider: "azure-openai", source: "list 1", model: "gpt-4o", prices },
    callEnd({ step: "tone", cost: 0.25 }),
    callEnd({ step: "tone", cost: null }),
  ]);
  assert.deepEqual(
    figures.map(({ cost, spending }) => [cost?.amount, spending?.byKind.first.cost?.amount]),
    [
      [undefined, undefined],
      [0.25, 0.25],
    ],
  );
});

test("calls are counted by step, in the pipeline's order; a step that asked nobody has no figures", () => {
  const tokens = { inputTokens: 100, cachedTokens: 40, outputTokens: 10, reasoningTokens: 4 };
  const figures = tallyOf(
    [
      callEnd({ step: "tone", ...tokens, cost: 0.25, model: "a", promptHash: "t1" }),
      callEnd({ step: "tone", ...tokens, cost: 0.5, model: "b", promptHash: "t1" }),
      { type: "re-ask", step: "tone", pk: "r1", issueCount: 2 },
      reuse("kind"),
    ],
    "USD",
  );
  const none = { calls: 0, reusedAnswers: 0, reAsks: 0, retries: 0, rateLimited: 0 };
  const noTokens = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0 };
  const others = figures.map((figure) => ({ ...figure, spending: undefined }));
  assert.deepEqual(others, [
    {
      ...{ step: "kind", ...none, ...noTokens, reusedAnswers: 1 },
      ...{ cost: { amount: 0, currency: "USD" }, latency: null, promptHashes: ["p"], models: ["m"] },
      spending: undefined,
    },
    {
      ...{ step: "tone", ...none, calls: 2, reAsks: 1 },
      ...{ inputTokens: 200, cachedTokens: 80, outputTokens: 20, reasoningTokens: 8 },
      cost: { amount: 0.75, currency: "USD" },
      latency: { p50Ms: 5, p95Ms: 5, maxMs: 5 },
      ...{ promptHashes: ["t1"], models: ["a", "b"], spending: undefined },
    },
  ]);
  assert.equal(tallyOf([callEnd()])[0]?.cost, null, "there are no prices");
});

test("what each call was for is counted: its kind, a row that came to nothing, and answers that others had paid for", () => {
  const call = { step: "tone", inputTokens: 10, outputTokens: 1, cost: 0.1 } as const;
  const other = { step: "kind", inputTokens: 50, outputTokens: 5, cost: 0.7 } as const;
  const [kind, tone] = tallyOf(
    [
      ...[callEnd({ ...call, pk: "a" }), callEnd({ ...call, pk: "a", kind: "re-ask" })],
      callEnd({ ...call, pk: "a", kind: "longer", wasSent: false }),
      ...[callEnd({ ...other, pk: "b" }), callEnd({ ...call, pk: "b", kind: "retry", errorCode: "TIMEOUT" })],
      ...[rowEnd(1, { pk: "a", outcome: "written" }), rowEnd(2, { pk: "b", outcome: "failed", errorCode: "TIMEOUT" })],
      ...[callEnd({ ...call, pk: "c", kind: "longer" }), rowEnd(3, { pk: "c", outcome: "skipped", errorCode: "X" })],
      ...[callEnd({ ...call, pk: "d" }), rowEnd(4, { pk: "d", outcome: "pending" })],
      rowEnd(5, { pk: "a", outcome: "failed", errorCode: "DUPLICATE_KEY" }), // the row before it has ended: its calls are its own
      ...[reuse("tone"), reuse("tone", true), reuse("tone", true)],
    ],
    "USD",
  );
  const spent = (calls: number, of: { inputTokens: number; outputTokens: number; cost: number }) => ({
    calls,
    inputTokens: calls * of.inputTokens,
    outputTokens: calls * of.outputTokens,
    cost: { amount: Number((calls * of.cost).toFixed(12)), currency: "USD" },
  });
  const answer = { inputTokens: 100, outputTokens: 10, cost: 1 };
  assert.deepEqual(tone?.spending, {
    byKind: { first: spent(2, call), "re-ask": spent(1, call), longer: spent(1, call), retry: spent(1, call) },
    badRows: spent(2, call),
    reusedOfEarlierRuns: spent(1, answer),
    reusedOfThisRun: spent(2, answer),
  });
  assert.deepEqual([kind?.spending?.byKind.first, kind?.spending?.badRows], [spent(1, other), spent(1, other)]);
  assert.equal(tallyOf([callEnd()])[0]?.spending?.byKind.first.cost, null, "there are no prices");
});

test("a call after a failed one of the same row is a retry; a re-ask and the next row's call are none", () => {
  const failed = (pk: string, errorCode: string): RunEvent => callEnd({ pk, errorCode, model: null });
  const [kind] = tallyOf([
    ...[start("a"), failed("a", "RATE_LIMITED"), start("a"), failed("a", "TIMEOUT"), start("a"), callEnd({ pk: "a" })],
    ...[start("a"), callEnd({ pk: "a" })], // a re-ask
    ...[start("b"), failed("b", "RATE_LIMITED"), rowEnd(2, { pk: "b" }), start("b"), callEnd({ pk: "b" })],
  ]);
  assert.deepEqual([kind?.calls, kind?.retries, kind?.rateLimited], [6, 2, 2]);
});

test("of calls that failed the latency does not count: a 429 comes back at once", () => {
  const [kind] = tallyOf([
    callEnd({ latencyMs: 1000 }),
    ...Array.from({ length: 50 }, () => callEnd({ latencyMs: 2, errorCode: "RATE_LIMITED" })),
  ]);
  assert.ok(Math.abs((kind?.latency?.p50Ms ?? 0) - 1000) <= 50, `${kind?.latency?.p50Ms}`);
});

test("however many prompts and models there are, twenty are named", () => {
  const [kind] = tallyOf(Array.from({ length: 90 }, (_, n) => callEnd({ promptHash: `${n}`, model: `m${n}` })));
  assert.deepEqual([kind?.promptHashes.length, kind?.models.length], [20, 20]);
});

test("percentiles are right to within 5 % and half a millisecond, and the greatest latency is exact", () => {
  const latency = fc.double({ min: 0, max: 3_600_000, noNaN: true });
  fc.assert(
    fc.property(fc.array(latency, { minLength: 1, maxLength: 200 }), (all) => {
      const latencies = new Latencies();
      for (const ms of all) latencies.add(ms);
      const sorted = all.toSorted((one, other) => one - other);
      const exact = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
      const { p50Ms = 0, p95Ms = 0, maxMs = 0 } = latencies.figures ?? {};
      for (const [found, expected] of [
        [p50Ms, exact(0.5)],
        [p95Ms, exact(0.95)],
      ] as const) {
        assert.ok(Math.abs(found - expected) <= 0.05 * expected + 1, `${found} for ${expected}`);
      }
      assert.equal(maxMs, Math.round(sorted.at(-1) ?? Number.NaN));
    }),
    { numRuns: 200, seed: 1 },
  );
  assert.equal(new Latencies().figures, null);
});
