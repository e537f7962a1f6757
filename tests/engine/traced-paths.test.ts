import assert from "node:assert/strict";
import { test } from "node:test";
import { tracePaths } from "../../src/engine/traced-paths.ts";
import type { SinkState } from "../../src/engine/state.ts";

type State = SinkState<
  { age: number; tags: string[] },
  { kind: { category: string; confidence: number }; summary: { text: string; nested: { deep: string } } }
>;

function pathOf(read: (state: State) => unknown): string | undefined {
  return tracePaths({ column: read }).get("column")?.join(".");
}

test("a column that shows a value of the state has that value's path", () => {
  assert.equal(
    pathOf((s) => s.pk),
    "pk",
  );
  assert.equal(
    pathOf((s) => s.raw.age),
    "raw.age",
  );
  assert.equal(
    pathOf((s) => s.processed.summary.text),
    "processed.summary.text",
  );
  assert.equal(
    pathOf(({ processed: { summary } }) => summary.nested.deep),
    "processed.summary.nested.deep",
  );
  assert.equal(
    pathOf((s) => s.processed.kind),
    "processed.kind",
  );
  assert.equal(
    pathOf((s) => s.lineage.kind?.model),
    "lineage.kind.model",
  );
  assert.equal(
    pathOf((s) => s.processed.summary.text ?? "none"),
    "processed.summary.text",
  );
});

test("a column that makes a value of its own has none", () => {
  const reads: readonly ((state: State) => unknown)[] = [
    (s) => `${s.processed.summary.text}!`,
    (s) => s.processed.summary.text.trim(),
    (s) => s.processed.kind.confidence * 100,
    (s) => s.processed.kind.confidence + 1,
    (s) => s.processed.summary.text + s.pk,
    (s) => JSON.stringify(s.processed.kind),
    (s) => ({ ...s.processed.kind }),
    (s) => [...s.raw.tags],
    (s) => s.raw.tags.map((tag) => tag),
    (s) => Object.keys(s.processed),
    (s) => [s.processed.summary.text],
    (s) => s.processed.kind.category === "a",
    (s) => Math.round(s.processed.kind.confidence),
    () => "constant",
    () => undefined,
    () => {
      throw new Error("no");
    },
  ];
  for (const read of reads) assert.equal(pathOf(read), undefined, String(read));
});

test("a loop ends", () => {
  const chase = (s: State): unknown => {
    let node: Record<string, unknown> = { next: s };
    while (node["next"] !== undefined) node = Object(node["next"]);
    return node;
  };
  assert.equal(pathOf(chase), undefined);
});

test("a state that is only read is not changed", () => {
  assert.equal(
    pathOf((s) => Object.assign(s, { pk: "x" }).pk),
    undefined,
  );
});
