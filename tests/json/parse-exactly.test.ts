import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalNumber, parseExactly, writeExactly } from "../../src/json/json.ts";

test("numbers that JavaScript's do not hold are bigints where they are whole, else their text", () => {
  const text =
    '{"a": [1, -0.5, 1e2, 12345678901234567890, -9007199254740993, 0.1234567890123456789, 1e400, 1.0], "b": "1e5", "c": null}';
  assert.deepEqual(parseExactly(text), {
    a: [1, -0.5, 100, 12345678901234567890n, -9007199254740993n, "0.1234567890123456789", "1e400", 1],
    b: "1e5",
    c: null,
  });
  assert.deepEqual(parseExactly("[1.50, 9007199254740991]"), [1.5, 9007199254740991]);
  assert.throws(() => parseExactly("{"), SyntaxError);
});

test("a number has one canonical text, however it is written", () => {
  for (const same of ["100", "1e2", "100.00", "0100", "1E+2"]) assert.equal(canonicalNumber(same), "1e2", same);
  for (const zero of ["0", "0.00", "-0", "0e5"]) assert.equal(canonicalNumber(zero), "0", zero);
  assert.equal(canonicalNumber("-0.0150"), canonicalNumber("-15e-3"));
  assert.notEqual(canonicalNumber("1.5"), canonicalNumber("15"));
});

test("what was read exactly is written as it was: a bigint is a number, at any depth", () => {
  const text = '{"a":[1,12345678901234567890,{"b":-9007199254740993}],"c":"1","d":null}';
  const value: unknown = parseExactly(text);
  assert.ok(typeof value === "object" && value !== null);
  assert.equal(writeExactly(value), text);
  assert.equal(
    writeExactly({ at: new Date(0), bytes: Buffer.from([1]) }),
    '{"at":"1970-01-01T00:00:00.000Z","bytes":"AQ=="}',
  );
});
