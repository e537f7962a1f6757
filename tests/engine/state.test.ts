import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { GlobalState, SinkState } from "../../src/engine/state.ts";

function stateOf<Row extends object>(raw: Row): GlobalState<Row> {
  return new GlobalState({ pk: "1", raw, processed: {}, log: [], startedAt: new Date(0) });
}

test("a step's output is added under its output key and its name to the log, in a new state", () => {
  const before = stateOf({ id: 1 });
  const after = before.with("classify", "visit_type", { category: "Emergency" }).with("shorten", "summary", "short");
  assert.deepEqual(after.processed, { visit_type: { category: "Emergency" }, summary: "short" });
  assert.deepEqual(after.log, ["classify", "shorten"]);
  assert.equal(after.pk, "1");
  assert.equal(after.raw, before.raw);
  assert.equal(after.startedAt, before.startedAt);
  assert.deepEqual(before.processed, {});
  assert.deepEqual(before.log, []);
});

test("what steps have added can't be replaced afterwards", () => {
  const state = stateOf({ id: 1 }).with("one", "first", 1);
  assert.throws(() => Object.assign(state.processed, { first: 2 }), TypeError);
});

test("JSON.stringify takes a state with dates, Buffers and bigints, and toString is that text", () => {
  const state = stateOf({ at: new Date(1000), photo: Buffer.from("hi"), big: 12n, none: null }).with("s", "k", {
    n: 1n,
  });
  const text =
    '{"pk":"1","raw":{"at":"1970-01-01T00:00:01.000Z","photo":"aGk=","big":"12","none":null},' +
    '"processed":{"k":{"n":"1"}},"log":["s"],"startedAt":"1970-01-01T00:00:00.000Z"}';
  assert.equal(JSON.stringify(state), text);
  assert.equal(state.toString(), text);
  assert.equal(`${state}`, text);
});

test("a sink's state also has the time of completion, the run and the lineage, in its JSON too", () => {
  const lineage = {
    model: "mock",
    promptHash: "0".repeat(16),
    inputTokens: 1,
    cachedTokens: 0,
    outputTokens: 2,
    calls: 1,
  };
  const completed = { completedAt: new Date(5), run: { id: "run-1" }, lineage: { visit_type: lineage } };
  const state = new SinkState(stateOf({ id: 1 }).with("classify", "visit_type", "Emergency"), completed);
  assert.ok(state instanceof GlobalState);
  assert.equal(state.completedAt.getTime(), 5);
  assert.equal(state.run.id, "run-1");
  assert.equal(state.lineage.visit_type?.model, "mock");
  const json: unknown = JSON.parse(state.toString());
  assert.deepEqual(json, {
    ...{ pk: "1", raw: { id: 1 }, processed: { visit_type: "Emergency" }, log: ["classify"] },
    ...{ startedAt: "1970-01-01T00:00:00.000Z", completedAt: "1970-01-01T00:00:00.005Z" },
    ...{ run: { id: "run-1" }, lineage: { visit_type: lineage } },
  });
});

test("whatever a row and an output hold, the state is JSON text that parses", () => {
  const anything = fc.anything({
    ...{ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true },
    ...{ withNullPrototype: true, withSparseArray: true, withObjectString: true, withUnicodeString: true },
  });
  fc.assert(
    fc.property(fc.dictionary(fc.string(), anything), anything, fc.string(), (raw, output, key) => {
      const text = String(stateOf(raw).with("step", key, output));
      assert.doesNotThrow(() => JSON.parse(text));
    }),
    { numRuns: 300, seed: 3 },
  );
});
