import assert from "node:assert/strict";
import { test } from "node:test";
import { type PagingKey, pagingKey } from "../../../src/sql-server/read/paging-key.ts";
import type { ResultType } from "../../../src/sql-server/read/read-types.ts";

function keyOf(name: string, declaration = name, length = 0): PagingKey {
  const type: ResultType = { name, declaration, precision: 0, scale: 0, length };
  return pagingKey(type) ?? assert.fail(`${name} is no key`);
}

test("a key goes back in the column's own type", () => {
  const cases: readonly (readonly [PagingKey, declaration: string, sentAs: string])[] = [
    [keyOf("tinyint"), "int", "int"],
    [keyOf("int"), "int", "int"],
    [keyOf("bigint"), "bigint", "bigint"],
    [keyOf("decimal", "decimal(38,4)"), "decimal(38,4)", "nvarchar(50)"],
    [keyOf("datetime2", "datetime2(7)"), "datetime2(7)", "nvarchar(50)"],
    [keyOf("datetime"), "datetime", "nvarchar(50)"],
    [keyOf("date"), "date", "nvarchar(50)"],
    [keyOf("uniqueidentifier"), "uniqueidentifier", "uniqueidentifier"],
    [keyOf("timestamp"), "binary(8)", "varbinary(8)"],
    [keyOf("varbinary", "varbinary(20)", 20), "varbinary(20)", "varbinary(20)"],
    [keyOf("char", "char(5)", 5), "varchar(5)", "varchar(5)"],
    [keyOf("nvarchar", "nvarchar(50)", 50), "nvarchar(50)", "nvarchar(50)"],
  ];
  for (const [key, declaration, sentAs] of cases)
    assert.deepEqual([key.declaration, key.sentAs], [declaration, sentAs]);
});

test("before the first page there is no key", () => {
  assert.equal(keyOf("int").toValue(null), null);
  assert.equal(keyOf("decimal", "decimal(9,2)").toValue(null), null);
});

test("keys that the driver would round go as text", () => {
  assert.equal(
    keyOf("decimal", "decimal(38,2)").toValue("123456789012345678901234567890.12"),
    "123456789012345678901234567890.12",
  );
  assert.equal(
    keyOf("datetime2", "datetime2(7)").toValue("2026-01-02T03:04:05.1234567"),
    "2026-01-02T03:04:05.1234567",
  );
  assert.equal(keyOf("datetime").toValue(new Date("2026-01-02T03:04:05.007Z")), "2026-01-02T03:04:05.007");
  assert.equal(keyOf("bigint").toValue(9_007_199_254_740_993n), 9_007_199_254_740_993n);
});

test("a key comes after another in the server's order", () => {
  const after: readonly (readonly [PagingKey, first: unknown, second: unknown])[] = [
    [keyOf("int"), 9, 10],
    [keyOf("int"), -10, -9],
    [keyOf("bigint"), 9_007_199_254_740_992n, 9_007_199_254_740_993n],
    [keyOf("decimal", "decimal(38,2)"), "-1.10", "-1.09"],
    [keyOf("decimal", "decimal(38,2)"), "99999999999999999999.99", "100000000000000000000.00"],
    [keyOf("datetime2", "datetime2(7)"), "2026-01-02T03:04:05.1234567", "2026-01-02T03:04:05.1234568"],
    [keyOf("datetime"), new Date(1), new Date(2)],
    [keyOf("date"), "0999-12-31", "1000-01-01"],
    [keyOf("binary", "binary(2)", 2), Buffer.from([0, 255]), Buffer.from([1, 0])],
  ];
  for (const [key, first, second] of after) {
    assert.equal(key.isAfter(first, second), true);
    assert.equal(key.isAfter(second, first), false);
    assert.equal(key.isAfter(first, first), false);
  }
});

test("GUIDs are in SQL Server's order: the last group first, the first three from their last byte", () => {
  // The order of these is from Microsoft's note on comparing GUIDs: each differs in one byte, later ones count more.
  const ascending = [
    "01000000-0000-0000-0000-000000000000",
    "00010000-0000-0000-0000-000000000000",
    "00000100-0000-0000-0000-000000000000",
    "00000001-0000-0000-0000-000000000000",
    "00000000-0100-0000-0000-000000000000",
    "00000000-0001-0000-0000-000000000000",
    "00000000-0000-0100-0000-000000000000",
    "00000000-0000-0001-0000-000000000000",
    "00000000-0000-0000-0001-000000000000",
    "00000000-0000-0000-0100-000000000000",
    "00000000-0000-0000-0000-000000000001",
    "00000000-0000-0000-0000-000000000100",
    "00000000-0000-0000-0000-000000010000",
    "00000000-0000-0000-0000-000001000000",
    "00000000-0000-0000-0000-000100000000",
    "00000000-0000-0000-0000-010000000000",
  ];
  const key = keyOf("uniqueidentifier");
  for (const [index, guid] of ascending.slice(1).entries())
    assert.equal(key.isAfter(ascending[index], guid), true, guid);
});

test("of texts only the server knows the order, except that none comes after itself", () => {
  const key = keyOf("nvarchar", "nvarchar(10)", 10);
  assert.equal(key.isAfter("a", "a"), false);
  assert.equal(key.isAfter("b", "a"), undefined);
});

test("a VARCHAR key beyond ASCII is not sent back, for a ? could take the place of a letter", () => {
  assert.equal(keyOf("varchar", "varchar(10)", 10).problem("enc_1 ~"), undefined);
  assert.match(keyOf("varchar", "varchar(10)", 10).problem("é") ?? "", /beyond ASCII/);
  assert.equal(keyOf("nvarchar", "nvarchar(10)", 10).problem("é😀"), undefined);
});

test("types without a useful order, and those without a length, are no keys", () => {
  for (const name of ["bit", "float", "real", "money", "xml", "text", "datetimeoffset", "time", "sql_variant"]) {
    assert.equal(pagingKey({ name, declaration: name, precision: 0, scale: 0, length: 0 }), undefined, name);
  }
  for (const name of ["varchar", "nvarchar", "varbinary"]) {
    assert.equal(pagingKey({ name, declaration: `${name}(max)`, precision: 0, scale: 0, length: -1 }), undefined, name);
  }
});
