import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import * as fc from "fast-check";
import { bindingProblem, rowMaker, toSQLiteValue } from "../../src/sqlite/values.ts";

test("each value that SQLite can hold comes back as it went in", () => {
  const echo = new DatabaseSync(":memory:").prepare("SELECT ? AS value");
  echo.setReadBigInts(true);
  const value = fc.oneof(
    fc.string({ unit: "binary" }).filter((text) => text.isWellFormed() && !text.includes("\0")),
    fc.maxSafeInteger().filter((number) => !Object.is(number, -0)),
    fc.double({ noNaN: true }).filter((number) => !Object.is(number, -0)),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.constant(null),
  );
  fc.assert(
    fc.property(value, (given) => {
      assert.equal(bindingProblem(given), undefined);
      const row = echo.get(toSQLiteValue(given)) ?? {};
      assert.deepEqual(rowMaker(["value"])(Object.values(row)), { value: given });
    }),
    { seed: 1, numRuns: 500 },
  );
});

// Read as bytes: the driver of Node 22 cuts what it reads at a NUL.
test("a text with a NUL character is stored whole", () => {
  const row = new DatabaseSync(":memory:").prepare("SELECT hex(?) AS bytes").get(toSQLiteValue("a\0b"));
  assert.equal(row?.["bytes"], "610062");
});

test("a whole number is bound as INTEGER, so that text columns don't get 5.0", () => {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE t (a TEXT)");
  database.prepare("INSERT INTO t VALUES (?)").run(toSQLiteValue(5));
  assert.equal(database.prepare("SELECT a FROM t").get()?.["a"], "5");
});

test("undefined, booleans and dates have a form of their own", () => {
  assert.equal(toSQLiteValue(undefined), null);
  assert.equal(toSQLiteValue(true), 1n);
  assert.equal(toSQLiteValue(false), 0n);
  assert.equal(toSQLiteValue(new Date(0)), "1970-01-01T00:00:00.000Z");
});

test("a value that SQLite can't hold is named by its kind, without its content", () => {
  const refused: [unknown, RegExp][] = [
    [{ secret: 1 }, /^an object$/],
    [["secret"], /^an array of 1$/],
    [Symbol("secret"), /^a symbol$/],
    [() => "secret", /^a function$/],
    [Number.NaN, /^NaN/],
    [2n ** 63n, /64 bits/],
    ["secret \ud800", /surrogate/],
    [new Date(Number.NaN), /invalid date/],
  ];
  for (const [value, problem] of refused) {
    assert.match(bindingProblem(value) ?? "", problem);
    assert.doesNotMatch(bindingProblem(value) ?? "", /secret/);
  }
  assert.throws(() => toSQLiteValue({}), TypeError);
});

test("a row is a plain object, also with a column named __proto__", () => {
  const row = new DatabaseSync(":memory:").prepare(`SELECT 1 AS "__proto__", x'00' AS b`).get() ?? {};
  const raw = rowMaker(["__proto__", "b"])(Object.values(row));
  assert.equal(Object.getPrototypeOf(raw), Object.prototype);
  assert.deepEqual(Object.entries(raw), [
    ["__proto__", 1],
    ["b", Buffer.from([0])],
  ]);
});
