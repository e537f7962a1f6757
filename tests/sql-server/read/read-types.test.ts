import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readingOf, remedyFor, type ResultType } from "../../../src/sql-server/read/read-types.ts";

const typeOf = (name: string, rest: Partial<ResultType> = {}): ResultType => ({
  name,
  declaration: name,
  precision: 0,
  scale: 0,
  length: 0,
  ...rest,
});

const read = (type: ResultType, value: unknown): unknown => readingOf(type)?.read(value);

/** A date as the driver makes it of a time with more than milliseconds. */
function moment(text: string, nanosecondsDelta: number): Date {
  return Object.defineProperty(new Date(text), "nanosecondsDelta", { enumerable: false, value: nanosecondsDelta });
}

test("a decimal that a double holds comes as text with all its decimals; a longer one the server makes text", () => {
  const short = typeOf("decimal", { precision: 15, scale: 4 });
  assert.deepEqual(readingOf(short)?.conversions, []);
  assert.equal(read(short, 12345678901.2345), "12345678901.2345");
  assert.equal(read(short, -0), "0.0000");
  const long = typeOf("numeric", { precision: 16, scale: 0 });
  assert.deepEqual(readingOf(long)?.conversions, ["nvarchar(41)"]);
  assert.equal(read(long, "9999999999999999"), "9999999999999999");
});

test("every decimal of up to 15 digits comes back from its double", () => {
  const digits = fc.bigInt({ min: -(10n ** 15n) + 1n, max: 10n ** 15n - 1n });
  fc.assert(
    fc.property(digits, fc.integer({ min: 0, max: 15 }), (units, scale) => {
      const text = units
        .toString()
        .replace("-", "")
        .padStart(scale + 1, "0");
      const point = text.length - scale;
      const expected = `${units < 0n ? "-" : ""}${text.slice(0, point)}${scale === 0 ? "" : `.${text.slice(point)}`}`;
      // As the driver reads it: the unscaled number, divided.
      assert.equal(read(typeOf("decimal", { precision: 15, scale }), Number(units) / 10 ** scale), expected);
    }),
    { seed: 7, numRuns: 2000 },
  );
});

test("money has four decimals; the longer of its types goes through a decimal to be text", () => {
  assert.deepEqual(readingOf(typeOf("money"))?.conversions, ["decimal(19,4)", "nvarchar(41)"]);
  assert.equal(read(typeOf("money"), "-922337203685477.5808"), "-922337203685477.5808");
  assert.deepEqual(readingOf(typeOf("smallmoney"))?.conversions, []);
  assert.equal(read(typeOf("smallmoney"), -2_147_483_648 / 10_000), "-214748.3648");
});

test("a bigint is a bigint; a real is the shortest number that is that real; a float stays as it is", () => {
  assert.equal(read(typeOf("bigint"), "-9223372036854775808"), -9_223_372_036_854_775_808n);
  assert.equal(read(typeOf("real"), Math.fround(0.1)), 0.1);
  assert.equal(read(typeOf("real"), Math.fround(3.4028235e38)), 3.4028235e38);
  assert.equal(read(typeOf("float"), 0.1 + 0.2), 0.1 + 0.2);
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.ok(Math.fround(Number(read(typeOf("real"), value))) === value);
    }),
    { seed: 3, numRuns: 1000 },
  );
});

test("date and time types come as ISO 8601 text with as many decimals of a second as the column has", () => {
  const at = moment("2026-01-02T03:04:05.123Z", 0.000_456_7);
  assert.equal(read(typeOf("date"), new Date("0001-01-01T00:00:00Z")), "0001-01-01");
  assert.equal(read(typeOf("datetime2", { scale: 7 }), at), "2026-01-02T03:04:05.1234567");
  assert.equal(read(typeOf("datetime2", { scale: 4 }), at), "2026-01-02T03:04:05.1234");
  assert.equal(read(typeOf("datetime2", { scale: 3 }), at), "2026-01-02T03:04:05.123");
  assert.equal(read(typeOf("datetime2", { scale: 0 }), at), "2026-01-02T03:04:05");
  assert.equal(read(typeOf("time", { scale: 7 }), moment("1970-01-01T23:59:59.999Z", 0.000_999_9)), "23:59:59.9999999");
  assert.equal(read(typeOf("time", { scale: 0 }), moment("1970-01-01T00:00:00Z", 0)), "00:00:00");
});

test("a datetimeoffset keeps its offset: the server makes it text", () => {
  const type = typeOf("datetimeoffset", { scale: 7 });
  assert.deepEqual(readingOf(type)?.conversions, ["nvarchar(34)"]);
  assert.equal(read(type, "2026-01-02 03:04:05.1234567 -05:30"), "2026-01-02T03:04:05.1234567-05:30");
});

test("DATETIME and SMALLDATETIME come as dates, bytes as Buffers, GUIDs in upper case, the rest as it is", () => {
  const date = new Date("2026-01-02T03:04:05.007Z");
  assert.equal(read(typeOf("datetime"), date), date);
  assert.equal(read(typeOf("smalldatetime"), date), date);
  assert.deepEqual(read(typeOf("timestamp"), Buffer.from([1])), Buffer.from([1]));
  assert.equal(
    read(typeOf("uniqueidentifier"), "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    "6F9619FF-8B86-D011-B42D-00C04FC964FF",
  );
  assert.equal(read(typeOf("char"), "a   "), "a   ");
  assert.equal(read(typeOf("bit"), false), false);
  assert.equal(read(typeOf("int"), 5), 5);
});

test("a type without a JavaScript value is known by that, and has a way to convert it", () => {
  for (const name of ["sql_variant", "geography", "geometry", "hierarchyid", "vector", "my_type", "cursor"]) {
    assert.equal(readingOf(typeOf(name)), undefined, name);
  }
  assert.equal(remedyFor(typeOf("geography"), "place"), "place.STAsText() AS place");
  assert.equal(remedyFor(typeOf("hierarchyid"), "node"), "node.ToString() AS node");
  assert.equal(remedyFor(typeOf("sql_variant"), "v"), "CONVERT(nvarchar(4000), v) AS v");
});

test("a value that the driver does not give by itself is rejected by its kind", () => {
  const wrong: readonly (readonly [string, unknown])[] = [
    ["int", "5"],
    ["bigint", 5],
    ["decimal", "1.5"],
    ["varchar", 5],
    ["datetime", "2026-01-02"],
    ["date", new Date(Number.NaN)],
    ["varbinary", "ff"],
    ["bit", 1],
  ];
  for (const [name, value] of wrong) assert.throws(() => read(typeOf(name), value), /valueHandler/, name);
});
