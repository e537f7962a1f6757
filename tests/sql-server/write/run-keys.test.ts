import assert from "node:assert/strict";
import { test } from "node:test";
import { foldText, keyText, RunKeys } from "../../../src/sql-server/write/run-keys.ts";

test("a key is claimed once, in its very spelling", () => {
  const keys = new RunKeys();
  assert.equal(keys.claim("a"), true);
  assert.equal(keys.claim("A"), true);
  assert.equal(keys.claim("a"), false);
  keys.close();
  keys.close();
});

test("a key is taken if another row of the run has the spelling that the target has, or was written under it", () => {
  const keys = new RunKeys();
  keys.claim("a");
  keys.claim("A");
  assert.equal(keys.isTaken({ own: "a", stored: "a", written: "a" }), false, "its own");
  assert.equal(
    keys.isTaken({ own: "A", stored: "a", written: "a" }),
    true,
    "that of another row, which may not have changed",
  );
  assert.equal(keys.isTaken({ own: "A", stored: "á", written: "á" }), false, "of no row of the run");
  keys.addWritten([{ own: "A", stored: "á", written: "á" }]);
  assert.equal(keys.isTaken({ own: "a", stored: "á", written: "á" }), true, "a row was written under it");
  keys.close();
});

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
