import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeclaredType } from "../../../src/sql-server/write/column-type.ts";
import { foldText, keysOf, keyText } from "../../../src/sql-server/write/keys.ts";
import { targetColumn, targetOf } from "../../support/target.ts";

test("the parts of a key do not run into one another, and trailing blanks do not count", () => {
  assert.notEqual(keyText(["ab", "c"]), keyText(["a", "bc"]));
  assert.notEqual(keyText(["1"]), keyText([1]));
  assert.equal(keyText(["a  ", 5]), keyText(["a", 5]));
  assert.notEqual(keyText([" a"]), keyText(["a"]));
  assert.equal(keyText([Buffer.from([1, 255])]), '["01ff"]');
});

test("texts are folded as the collation's name says", () => {
  assert.equal(foldText("Éa ", "Latin1_General_CI_AI"), "ea");
  assert.equal(foldText("ÉA", "Latin1_General_CI_AS"), foldText("e\u0301a", "Latin1_General_CI_AS"));
  assert.notEqual(foldText("É", "Latin1_General_CI_AS"), foldText("E", "Latin1_General_CI_AS"));
  assert.notEqual(foldText("a", "Latin1_General_100_CS_AS"), foldText("A", "Latin1_General_100_CS_AS"));
  assert.equal(foldText("É ", "Latin1_General_100_BIN2"), "É");
  assert.equal(foldText("STRASSE", "SQL_Latin1_General_CP1_CI_AS"), foldText("straße", "SQL_Latin1_General_CP1_CI_AS"));
});

test("a key's text is folded by its column's collation, and its part is not", () => {
  const collation = "Latin1_General_CI_AS";
  const columns = [targetColumn("id", 0, { collation }), targetColumn("n", 1, { type: "int" })];
  const { text, parts } = keysOf(targetOf("merge", { columns, keyCount: 2 }));
  assert.equal(text(["KEY ", 5]), text(["key", 5]));
  assert.notEqual(text(["key", 5]), text(["key", 6]));
  assert.deepEqual(parts(["key ", 5]), parts(["key", 5]));
  assert.notDeepEqual(parts(["KEY", 5]), parts(["key", 5]));
});

test("keys that are equal to the server and not to JavaScript are one key", () => {
  const same: readonly (readonly [Partial<DeclaredType>, unknown, unknown])[] = [
    [{ type: "datetime" }, "2025-03-01T12:00:05.123", "2025-03-01T12:00:05.124"],
    [{ type: "datetime" }, "2025-03-01T12:00:05.999", new Date("2025-03-01T12:00:06Z")],
    [{ type: "smalldatetime" }, "2025-03-01T12:00:05", "2025-03-01T12:00:20"],
    [{ type: "datetime2", scale: 3 }, "2025-03-01T12:00:05.1231", "2025-03-01T13:00:05.123+01:00"],
    [{ type: "datetimeoffset", scale: 0 }, "2025-03-01T12:00:05Z", "2025-03-01T14:00:05+02:00"],
    [{ type: "binary", length: 4 }, Buffer.from([1, 2]), Buffer.from([1, 2, 0, 0])],
    [{ type: "varbinary", length: 4 }, Buffer.from([1, 2]), new Uint8Array([1, 2, 0])],
    [{ type: "varbinary", length: 4 }, Buffer.from([]), Buffer.from([0])],
    [{ type: "decimal", precision: 5, scale: 2 }, "1.5", 1.501],
    [{ type: "money" }, "-0", 0],
    [{ type: "real" }, 0.1, Math.fround(0.1)],
    [{ type: "float" }, -0, "0"],
    [{ type: "bit" }, "true", 1],
    [{ type: "bigint" }, 7n, "7"],
    [{ type: "uniqueidentifier" }, "a0a0a0a0-0000-0000-0000-00000000000f", "{A0A0A0A0-0000-0000-0000-00000000000F}"],
    [{ type: "nvarchar", length: 9 }, "a", "a  "],
  ];
  for (const [declared, one, other] of same) {
    const column = targetColumn("id", 0, declared);
    const { text, parts } = keysOf(targetOf("merge", { columns: [column] }));
    const [first, second] = [one, other].map((value) => {
      const fitted = column.fit(value);
      assert.ok(fitted.ok);
      return fitted.value;
    });
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(text([first]), text([second]), declared.type);
    assert.deepEqual(parts([first]), parts([second]), declared.type);
  }
});

test("keys that the server tells apart are two", () => {
  const apart: readonly (readonly [Partial<DeclaredType>, unknown, unknown])[] = [
    [{ type: "datetime" }, "2025-03-01T12:00:05.124", "2025-03-01T12:00:05.127"],
    [{ type: "datetimeoffset", scale: 0 }, "2025-03-01T12:00:05Z", "2025-03-01T12:00:05+02:00"],
    [{ type: "varbinary", length: 4 }, Buffer.from([1, 2]), Buffer.from([0, 1, 2])],
  ];
  for (const [declared, one, other] of apart) {
    const column = targetColumn("id", 0, declared);
    const { text, parts } = keysOf(targetOf("merge", { columns: [column] }));
    const [first, second] = [one, other]
      .map((value) => column.fit(value))
      .map((fitted) => (fitted.ok ? fitted.value : ""));
    assert.notEqual(text([first ?? ""]), text([second ?? ""]), declared.type);
    assert.notDeepEqual(parts([first ?? ""]), parts([second ?? ""]), declared.type);
  }
});
