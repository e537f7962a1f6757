import assert from "node:assert/strict";
import { test } from "node:test";
import { SchemaBook } from "../../../src/testing/simulator/schema-book.ts";

const schema = { type: "object", properties: { a: { type: "string" } }, required: ["a"], additionalProperties: false };

test("a schema is examined once, and known again by its text", () => {
  const book = new SchemaBook();
  const entry = book.entry(JSON.stringify(schema), schema);
  assert.deepEqual([entry.problem, entry.strictProblem], [undefined, undefined]);
  assert.equal(book.entry(JSON.stringify(schema), structuredClone(schema)), entry);
  const open = { ...schema, additionalProperties: true };
  const other = book.entry(JSON.stringify(open), open);
  assert.ok(other.strictProblem?.includes("'additionalProperties'"), other.strictProblem);
  assert.equal(other.problem, undefined);
  assert.notEqual(other.key, entry.key);
});

test("a value that is not a schema has a problem, and many schemas do not fill the memory", () => {
  const book = new SchemaBook();
  for (const value of [null, [], "x", undefined]) assert.notEqual(book.entry(String(value), value).problem, undefined);
  for (let index = 0; index < 1000; index += 1) {
    assert.equal(book.entry(`${index}`, { ...schema, title: String(index) }).problem, undefined);
  }
  let deep: unknown = {};
  for (let level = 0; level < 5000; level += 1) deep = { items: deep };
  assert.notEqual(book.entry("deep", deep).problem, undefined);
});

test("a text is parsed if it holds a schema", () => {
  const book = new SchemaBook();
  assert.equal(book.parsed(JSON.stringify(schema))?.type, "object");
  assert.equal(book.parsed(JSON.stringify(schema)), book.parsed(JSON.stringify(schema)));
  assert.deepEqual(
    [book.parsed("no schema"), book.parsed("3"), book.parsed("no schema")],
    [undefined, undefined, undefined],
  );
});
