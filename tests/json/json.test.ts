import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromReversible, reversible, toJSONValue } from "../../src/json/json.ts";

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

test("an encoding of one's own says how dates, bytes, bigints and numbers that JSON lacks are written", () => {
  const encoding = { date: () => "D", bytes: () => "B", bigint: () => "I", number: () => "N" };
  const values = [new Date(0), Buffer.from(""), 1n, Number.NaN, -Infinity, 1.5];
  assert.deepEqual(toJSONValue(values, encoding), ["D", "B", "I", "N", "N", 1.5]);
});

test("a cycle becomes null, and an object that merely stands twice stays", () => {
  const twice = { name: "twice" };
  const value: Record<string, unknown> = { one: twice, other: twice };
  value["self"] = value;
  assert.deepEqual(toJSONValue(value), { one: { name: "twice" }, other: { name: "twice" }, self: null });
});

test("functions and undefined are left out, also a function that is named toJSON", () => {
  const fail = (): never => {
    throw new Error("must not be called");
  };
  assert.equal(JSON.stringify(toJSONValue({ a: 1, b: undefined, c: fail, toJSON: fail })), '{"a":1}');
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

const throughJSON = (value: unknown): unknown =>
  fromReversible(JSON.parse(JSON.stringify(toJSONValue(value, reversible))));

test("dates, bytes, bigints and numbers that JSON lacks come back from their reversible form, at any depth", () => {
  const value = {
    at: new Date("2025-02-02T10:30:00.123Z"),
    never: new Date(Number.NaN),
    list: [{ photo: Buffer.from([0, 1, 255]), none: Buffer.alloc(0) }, [-(2n ** 80n)]],
    numbers: [Number.NaN, Infinity, -Infinity, 0.1],
    text: "a \u{1F600} \ud800",
    nothing: null,
  };
  assert.deepEqual(throughJSON(value), value);
});

test("any value of a row is had back", () => {
  const key = fc.string().filter((name) => !name.startsWith("$"));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.date({ noInvalidDate: false }),
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      fc.bigInt(),
      fc.double().map((number) => (Object.is(number, -0) ? 0 : number)),
      fc.string({ unit: "binary" }),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("value")),
      fc.dictionary(key, tie("value"), { noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(value, (row) => assert.deepEqual(throughJSON(row), row)),
    { numRuns: 300, seed: 4 },
  );
});

test("an object that only looks like an encoded value stays what it is", () => {
  const values = [
    { $date: "yesterday" },
    { $date: "2025-02-02" },
    { $date: 5 },
    { $date: "2025-02-02T10:30:00.000Z", zone: "UTC" },
    { $bytes: "no base64!" },
    { $bigint: "1.5" },
    { $number: "12" },
    { $other: "1" },
    {},
  ];
  assert.deepEqual(fromReversible(values), values);
});

test("a column named __proto__ comes back as a column", () => {
  const row: unknown = JSON.parse('{"__proto__":{"at":{"$bigint":"1"}}}');
  const decoded = fromReversible(row);
  assert.deepEqual(Object.entries(Object(decoded)), [["__proto__", { at: 1n }]]);
  assert.equal(Object.getPrototypeOf(decoded), Object.prototype);
});
