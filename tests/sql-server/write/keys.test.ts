import assert from "node:assert/strict";
import { test } from "node:test";
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
