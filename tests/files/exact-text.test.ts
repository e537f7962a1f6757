import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import fc from "fast-check";
import { fromExactText, toExactText } from "../../src/files/exact-text.ts";

test("any text comes back from SQLite as it was, and different texts stay different keys", () => {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE texts (text PRIMARY KEY) WITHOUT ROWID");
  const insert = database.prepare("INSERT OR IGNORE INTO texts VALUES (?)");
  const find = database.prepare("SELECT text FROM texts WHERE text = ?");
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc
      .array(fc.constantFrom("\0", "\uD83D", "\uDE00", "\uFFFD", "a", "🩺"), { maxLength: 4 })
      .map((all) => all.join("")),
  );
  fc.assert(
    fc.property(text, (one) => {
      insert.run(toExactText(one));
      assert.equal(fromExactText(find.get(toExactText(one))?.["text"]), one);
    }),
    { numRuns: 1000, seed: 1 },
  );
  database.close();
});

test("ordinary text stays text, to be read by people", () => {
  assert.equal(toExactText("enc_1 é 🩺"), "enc_1 é 🩺");
});
