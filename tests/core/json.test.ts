import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { toJSONValue } from "../../src/core/json.ts";

test("dates become ISO 8601, bytes base64 and bigints text, at any depth", () => {
  const bytes = new Uint8Array([0, 1, 2, 3]).subarray(1, 3);
  const value = { at: new Date(0), list: [{ bytes, buffer: Buffer.from("hi"), big: 2n ** 64n }] };
  assert.deepEqual(toJSONValue(value), {
    at: "1970-01-01T00:00:00.000Z",
    list: [{ bytes: "AQI=", buffer: "aGk=", big: "18446744073709551616" }],
  });
});

test("an invalid date becomes null", () => {
  assert.deepEqual(toJSONValue({ at: new Date(Number.NaN) }), { at: null });
});

test("an encoding of one's own says how dates, bytes and bigints are written", () => {
  const encoding = { date: () => "D", bytes: () => "B", bigint: () => "I" };
  assert.deepEqual(toJSONValue([new Date(0), Buffer.from(""), 1n], encoding), ["D", "B", "I"]);
});

test("a cycle becomes null, and an object that merely stands twice stays", () => {
  const twice = { name: "twice" };
  const value: Record<string, unknown> = { one: twice, other: twice };
  value["self"] = value;
  assert.deepEqual(toJSONValue(value), { one: { name: "twice" }, other: { name: "twice" }, self: null });
});

test("functions and undefined are left out, also a function that is named toJSON", () => {
  const refuse = (): never => {
    throw new Error("must not be called");
  };
  assert.equal(JSON.stringify(toJSONValue({ a: 1, b: undefined, c: refuse, toJSON: refuse })), '{"a":1}');
});

test("an object whose class has a toJSON is what that says", () => {
  assert.deepEqual(toJSONValue({ link: new URL("https://example.com/a") }), { link: "https://example.com/a" });
});

test("a column named __proto__ is a column like any other", () => {
  const row: unknown = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}');
  assert.equal(JSON.stringify(toJSONValue(row)), '{"__proto__":{"polluted":true},"constructor":1}');
  assert.equal(Object.hasOwn(Object.prototype, "polluted"), false);
});

test("the value given is not changed, and the copy of JSON is the same JSON", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), (text) => {
      const value: unknown = JSON.parse(text);
      assert.equal(JSON.stringify(toJSONValue(value)), JSON.stringify(value));
      assert.equal(JSON.stringify(value), JSON.stringify(JSON.parse(text)));
    }),
    { numRuns: 200, seed: 2 },
  );
});
