import assert from "node:assert/strict";
import { test } from "node:test";
import mssql from "mssql";
import { bindParameters, declare, driverType } from "../../src/sql-server/parameters.ts";
import type { ParameterValue } from "../../src/contracts/source.ts";
import { failsWith } from "../support/error-facts.ts";
import { sourceFail as fail } from "../support/sql-server-errors.ts";

const bind = (value: unknown) => bindParameters(["p"], { p: value as ParameterValue }, "the sql", fail)[0]; // as a JavaScript user could, without the types

test("a value gives its parameter's type, one length for all texts, so that the server keeps one plan", () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [null, "nvarchar(4000)"],
    ["", "nvarchar(4000)"],
    ["é😀".repeat(1000), "nvarchar(4000)"],
    ["a".repeat(4000), "nvarchar(4000)"],
    ["a".repeat(4001), "nvarchar(max)"],
    [true, "bit"],
    [0, "int"],
    [-0, "int"],
    [2_147_483_647, "int"],
    [-2_147_483_648, "int"],
    [2_147_483_648, "bigint"],
    [-9_007_199_254_740_991, "bigint"],
    [9_007_199_254_740_992, "float"],
    [1.5, "float"],
    [1e300, "float"],
    [5n, "bigint"],
    [9_223_372_036_854_775_807n, "bigint"],
    [9_223_372_036_854_775_808n, "decimal(38,0)"],
    [-(10n ** 38n) + 1n, "decimal(38,0)"],
    [new Date(0), "datetime2(7)"],
    [new Uint8Array([1, 2]), "varbinary(8000)"],
    [Buffer.alloc(8001), "varbinary(max)"],
  ];
  for (const [value, declaration] of cases) assert.equal(bind(value)?.declaration, declaration, String(value));
});

test("a bigint of more than 64 bits goes as text, which the driver does not round", () => {
  const value = 12_345_678_901_234_567_890_123_456_789_012_345_678n;
  assert.deepEqual(bind(value), {
    name: "p",
    declaration: "decimal(38,0)",
    sentAs: "nvarchar(50)",
    value: "12345678901234567890123456789012345678",
  });
});

test("bytes are sent as they stand in their array, no more of it", () => {
  const all = new Uint8Array([1, 2, 3, 4]);
  assert.deepEqual(bind(all.subarray(1, 3))?.value, Buffer.from([2, 3]));
});

test("a value that SQL Server can't hold is rejected, without its content", () => {
  const rejected: readonly unknown[] = [
    "secret\ud800",
    Number.NaN,
    Infinity,
    10n ** 38n,
    new Date(Number.NaN),
    new Date("-000001-01-01T00:00:00Z"),
    new Date("+010000-01-01T00:00:00Z"),
    ["secret"],
    { secret: 1 },
    undefined,
  ];
  for (const value of rejected) {
    assert.throws(
      () => bind(value),
      (error: Error) =>
        failsWith("SOURCE_FAILED", { parameter: "p" })(error) && !JSON.stringify(error).includes("secret"),
      String(value),
    );
  }
});

test("a parameter without a value and a value without a parameter are rejected, with the nearest name", () => {
  const where = "the sql";
  assert.throws(
    () => bindParameters(["from"], { form: 1 }, where, fail),
    failsWith("SOURCE_FAILED", { where, parameter: "form", nearest: "from" }),
  );
  assert.throws(() => bindParameters([], { x: 1 }, where, fail), failsWith("SOURCE_FAILED", { where, parameter: "x" }));
  assert.throws(
    () => bindParameters(["a", "b"], { a: 1 }, where, fail),
    failsWith("SOURCE_FAILED", { where, parameter: "b", given: ["a"] }),
  );
  assert.throws(
    () => bindParameters(["toString"], {}, where, fail),
    failsWith("SOURCE_FAILED", { where, parameter: "toString" }),
  );
});

test("parameters keep the order of the statement, and are declared in it", () => {
  const parameters = bindParameters(["b", "a"], { a: 1, b: "x" }, "the sql", fail);
  assert.equal(declare(parameters), "@b nvarchar(4000), @a int");
  assert.equal(declare([]), "");
});

test("each declaration that is sent has the driver's type", () => {
  assert.deepEqual(driverType(mssql, "nvarchar(4000)"), { type: mssql.NVarChar, length: 4000 });
  assert.deepEqual(driverType(mssql, "nvarchar(max)"), { type: mssql.NVarChar, length: mssql.MAX });
  assert.deepEqual(driverType(mssql, "varchar(20)"), { type: mssql.VarChar, length: 20 });
  assert.deepEqual(driverType(mssql, "varbinary(8)"), { type: mssql.VarBinary, length: 8 });
  assert.deepEqual(driverType(mssql, "datetime2(7)"), { type: mssql.DateTime2, scale: 7 });
  for (const [name, type] of Object.entries({
    bit: mssql.Bit,
    int: mssql.Int,
    bigint: mssql.BigInt,
    float: mssql.Float,
  })) {
    assert.deepEqual(driverType(mssql, name), { type });
  }
  assert.deepEqual(driverType(mssql, "uniqueidentifier"), { type: mssql.UniqueIdentifier });
  assert.throws(() => driverType(mssql, "geography"), TypeError);
});
