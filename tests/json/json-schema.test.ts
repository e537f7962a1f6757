import assert from "node:assert/strict";
import { test } from "node:test";
import { asSchema, resolveReference } from "../../src/json/json-schema.ts";

test("true and false, which are schemas as well, say nothing", () => {
  assert.deepEqual([asSchema(true), asSchema(false)], [{}, {}]);
  assert.deepEqual(asSchema({ type: "string" }), { type: "string" });
});

test("a reference stands for the root or for one of its definitions", () => {
  const leaf = { type: "string" } as const;
  const root = { type: "object" as const, $defs: { leaf } };
  assert.equal(resolveReference("#", root), root);
  assert.equal(resolveReference("#/$defs/leaf", root), leaf);
  assert.deepEqual(resolveReference("#/$defs/none", root), {});
});
