import assert from "node:assert/strict";
import { test } from "node:test";
import { checkMergeKeys } from "../../src/table/merge-keys.ts";

const columns = ["id", "day", "summary"];

test("merge keys are columns of the map, and none when inserting", () => {
  assert.deepEqual(checkMergeKeys("MySink", "merge", ["id", "day"], columns), ["id", "day"]);
  assert.deepEqual(checkMergeKeys("MySink", "insert", undefined, columns), []);
});

test("what does not go together is refused, with the sink's name", () => {
  const cases: readonly (readonly [string, string[] | undefined, RegExp])[] = [
    ["merge", undefined, /MySink: option "mergeKeys": expected at least one column, got none/],
    ["merge", [], /expected at least one column/],
    ["merge", ["ID"], /expected columns of the columnMap \(id, day, summary\), got "ID"/],
    ["merge", ["id", "id"], /expected each column once/],
    ["update", ["id", "day", "summary"], /strategy "update" has nothing to update/],
    ["insert", ["id"], /expected none with strategy "insert", got 1/],
  ];
  for (const [strategy, keys, message] of cases) {
    assert.throws(() => checkMergeKeys("MySink", strategy, keys, columns), { code: "INVALID_OPTION", message });
  }
});
