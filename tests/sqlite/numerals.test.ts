import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import * as fc from "fast-check";
import { isNumeral } from "../../src/sqlite/numerals.ts";
import { type Affinity, fitValue, type Storage } from "../../src/sqlite/values.ts";

const database = new DatabaseSync(":memory:");
database.exec("CREATE TABLE t (i INTEGER, n NUMERIC, r REAL, s TEXT, b)");
const columns: Readonly<Record<string, Affinity>> = { i: "INTEGER", n: "NUMERIC", r: "REAL", s: "TEXT", b: "BLOB" };
const loose = { enforcedType: undefined, isKey: false, isJSON: false, coerces: false };

function storage(affinity: Affinity, more: Partial<Storage> = {}): Storage {
  return { ...loose, affinity, ...more };
}

/** Writes the value as the sink would, and reads what is stored; undefined where it is rejected. */
function stored(value: unknown, column: string, more: Partial<Storage> = {}): unknown {
  const fitted = fitValue(value, storage(columns[column] ?? "BLOB", more));
  if (!fitted.ok) return undefined;
  database.exec("DELETE FROM t");
  database.prepare(`INSERT INTO t (${column}) VALUES (?)`).run(fitted.value);
  const reading = database.prepare(`SELECT ${column} AS value FROM t`);
  reading.setReadBigInts(true);
  return reading.get()?.["value"];
}

const kept = ["1", "1.50", "-3", "0", "0.0", "10", "-12.75", "9007199254740991", "0.0000001", "123456789.125"];
const rejected = [
  ...[
    "007",
    "00501",
    "-07",
    "00",
    "00.5",
    "+1",
    "1e5",
    "1E5",
    "1e400",
    " 1",
    "1 ",
    "\t1\n",
    "1.",
    ".5",
    "-.5",
    "-0",
    "-0.0",
  ],
  ...["12345678901234567890", "10000000000000000000", "9223372036854775808", "0.12345678901234567", "1.50e0", "1\0"],
  ...["123456789012345678.5", "9".repeat(400), `0.${"1".repeat(400)}`, `1${"0".repeat(100_000)}`, "007 ", "1\0abc"],
];

test("a text that its column would store as another number is rejected, in each affinity of numbers", () => {
  for (const column of ["i", "n", "r"]) {
    for (const text of kept)
      assert.equal(String(Number(stored(text, column))), String(Number(text)), `${text} ${column}`);
    for (const text of rejected) assert.equal(stored(text, column), undefined, `${text.slice(0, 30)} ${column}`);
  }
  for (const text of ["9007199254740993", "9223372036854775807", "-9223372036854775808"]) {
    assert.equal(stored(text, "i"), BigInt(text), text);
    assert.equal(stored(text, "r"), undefined, text);
  }
});

test("columns of text and of no affinity keep each text as it is", () => {
  for (const text of [...kept, ...rejected].filter((one) => !one.includes("\0"))) {
    for (const column of ["s", "b"]) assert.equal(stored(text, column), text);
  }
});

test("in a key, zeros at the end of a fraction count: 1.50 and 1.5 would be one", () => {
  for (const text of ["1.50", "1.0", "0.0"]) {
    assert.equal(stored(text, "n", { isKey: true }), undefined, text);
    assert.notEqual(stored(text, "n"), undefined, text);
  }
  for (const text of ["1.5", "1", "-3"]) assert.notEqual(stored(text, "n", { isKey: true }), undefined, text);
});

test("with coerce the number is stored, knowingly", () => {
  assert.equal(stored("007", "n", { coerces: true, isKey: true }), 7n);
  assert.equal(stored(" +1e5 ", "i", { coerces: true }), 100_000n);
  assert.equal(stored("12345678901234567890", "n", { coerces: true }), Number("12345678901234567890"));
  assert.equal(stored("007", "s", { coerces: true }), "007");
  assert.equal(stored(2n ** 60n + 1n, "r", { coerces: true }), 2 ** 60);
});

test("only a change of form is something that a model could answer otherwise", () => {
  const demandOf = (text: string): unknown => {
    const fitted = fitValue(text, storage("NUMERIC"));
    return fitted.ok ? undefined : fitted.demand;
  };
  for (const text of ["1e5", "+1", " 1", "1."]) assert.equal(typeof demandOf(text), "string", text);
  for (const text of ["007", "12345678901234567890", "-0", " 007"]) assert.equal(demandOf(text), null, text);
});

test("no affinity changes a value in silence", () => {
  const characters = fc.constantFrom(..."0123456789+-.eE \t\n\0x_");
  const value = fc.oneof(
    fc.string({ unit: characters, maxLength: 12 }),
    fc.double().map(String),
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
    fc.double({ noNaN: true }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.integer(),
  );
  fc.assert(
    fc.property(value, fc.constantFrom("i", "n", "r", "s", "b"), (given, column) => {
      const found = stored(given, column);
      if (found === undefined || found === given || Object.is(given, -0)) return;
      if (typeof given === "string" && given.includes("\0")) return; // the driver of Node 22 cuts what it reads at a NUL
      if (typeof given !== "string")
        return assert.equal(found === "Inf" || found === "-Inf" || Number(found) === Number(given), true);
      assert.match(given, /^-?(0|[1-9]\d*)(\.\d+)?$/);
      const number = typeof found === "bigint" ? String(found) : String(Number(found));
      if (!number.includes("e")) assert.equal(number, given.includes(".") ? given.replace(/\.?0+$/, "") : given);
    }),
    { seed: 1, numRuns: 4000 },
  );
});

test("a number in a column of text keeps its digits", () => {
  for (const number of [0.1 + 0.2, 123456789012345.6, 2 ** 53, 1e21, 5, -1.5]) {
    assert.equal(Number(stored(number, "s")), number);
  }
  assert.equal(stored(2 ** 53, "s"), "9007199254740992");
  assert.equal(stored(5, "s"), "5");
});

test("a bigint that REAL would cut is rejected", () => {
  assert.equal(stored(2n ** 60n + 1n, "r"), undefined);
  assert.equal(stored(2n ** 60n, "r"), 2 ** 60);
});

test("30,000 digits and a letter take a STRICT column no seconds", () => {
  const text = `${"1".repeat(30_000)}x`;
  const before = process.cpuUsage();
  assert.equal(fitValue(text, storage("INTEGER", { enforcedType: "INTEGER" })).ok, false);
  const { user } = process.cpuUsage(before);
  assert.ok(user < 1_000_000, `${user} µs`); // a pattern that tries each way to part them takes five seconds
});

test("a text of a million digits and no number is looked at in no time that grows with its square", () => {
  const long = "1".repeat(1_000_000);
  for (const text of [`${long}x`, long, `${long}.${long}x`, " ".repeat(1_000_000), `1${" ".repeat(1_000_000)}x`]) {
    assert.equal(typeof isNumeral(text), "boolean");
    assert.equal(typeof fitValue(text, storage("NUMERIC")).ok, "boolean");
    assert.equal(fitValue(text, storage("INTEGER", { enforcedType: "INTEGER", coerces: true })).ok, false);
  }
});
