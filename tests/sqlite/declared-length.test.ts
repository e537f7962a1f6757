import assert from "node:assert/strict";
import { test } from "node:test";
import { declaredLength, isDeclaredJSON } from "../../src/sqlite/declared-length.ts";

test("a length is found in the column's type and in checks of its own, and the smaller one counts", () => {
  const cases: readonly (readonly [string, string, number | undefined])[] = [
    ["VARCHAR(100)", "", 100],
    ["nvarchar ( 50 )", "", 50],
    ["TEXT", "", undefined],
    ["DECIMAL(10, 2)", "", undefined],
    ["TEXT", "CHECK (length(summary) <= 500)", 500],
    ["TEXT", "check(LENGTH( Summary )<500)", 499],
    ["VARCHAR(600)", "CHECK (summary IS NULL OR length(summary) <= 500)", 500],
    ["TEXT", 'CHECK (length("summary") <= 20), CHECK (length([summary]) <= 10)', 10],
    ["TEXT", "CHECK (length(other) <= 500)", undefined],
    ["TEXT", "CHECK (other IS NULL OR length(summary) <= 500)", undefined],
    ["TEXT", "CHECK (kind = 'x' OR length(summary) <= 500)", undefined],
    ["TEXT", "CHECK (length(summary) <= 500 OR kind = 'x')", undefined],
    ["TEXT", "CHECK (length(summary) >= 5)", undefined],
  ];
  for (const [type, check, expected] of cases) {
    assert.equal(
      declaredLength("summary", type, `CREATE TABLE t (summary ${type} ${check})`),
      expected,
      `${type} ${check}`,
    );
  }
});

test("names in checks are found as SQLite takes them: quoted in each way, and with letters of any script", () => {
  for (const [column, written] of [
    ["notes", "notes"],
    ["notes", "`notes`"],
    ["notes", '"Notes"'],
    ["notes", "[notes]"],
    ["größe", "größe"],
    ["a`b", "`a``b`"],
  ] as const) {
    const table = `CREATE TABLE t (${written} TEXT CHECK (json_valid(${written})) CHECK (${written} IS NULL OR length(${written}) <= 9))`;
    assert.equal(isDeclaredJSON(column, "TEXT", table), true, written);
    assert.equal(declaredLength(column, "TEXT", table), 9, written);
    assert.equal(isDeclaredJSON("other", "TEXT", table), false, written);
  }
});
