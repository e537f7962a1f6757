import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { StoredKey } from "../../src/table/dialect.ts";
import { RunKeys, storedText } from "../../src/table/run-keys.ts";

const at = (place: string): StoredKey => ({ claimed: place, written: place });

function runKeys(t: TestContext): RunKeys<string> {
  const keys = new RunKeys<string>({ text: (key) => key.join(), parts: (key) => [key.join()] });
  t.after(() => keys.close());
  return keys;
}

test("a row that did not change holds its place against a row that is spelled as the target has it", (t) => {
  const keys = runKeys(t);
  const values = {};
  assert.equal(keys.claim({}, ["ß"]), true);
  assert.equal(keys.keep(storedText(at("ss"))), true);
  assert.equal(keys.claim(values, ["ss"]), true);
  assert.equal(keys.isTaken(values, ["ss"], at("ss")), true);
  assert.equal(keys.isTaken(values, ["ss"], at("other")), false);
});

test("a place that is being written, or was, is not kept", (t) => {
  const keys = runKeys(t);
  keys.expect([at("ss")]);
  assert.equal(keys.keep(storedText(at("ss"))), false);
  keys.expect([]);
  assert.equal(keys.keep(storedText(at("ss"))), true, "the write failed");
  keys.addWritten([{ values: {} }], [at("tt")]);
  assert.equal(keys.keep(storedText(at("tt"))), false);
});

test("a key of an older journal, which may be that of two rows, claims no place", (t) => {
  const keys = runKeys(t);
  const values = {};
  keys.addWritten([], [at("strasse")]);
  assert.equal(keys.keep("strasse"), true);
  keys.claim(values, ["strasse 2"]);
  assert.equal(keys.isTaken(values, ["strasse 2"], at("strasse 2")), false);
});
