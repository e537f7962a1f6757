import assert from "node:assert/strict";
import { test } from "node:test";
import type { Strategy, TableNames } from "../../src/table/dialect.ts";
import { namedTable } from "../../src/table/strategy.ts";

const names: TableNames = {
  parse: (text) =>
    text === "bad" ? { ok: false, problem: "expected a name" } : { ok: true, name: { schema: undefined, table: text } },
  quote: (name) => name,
  quoteTable: ({ table }) => table,
  fold: (name) => name.toLowerCase(),
  problemOf: () => undefined,
};
const dialect = { name: "own", names, createTable: () => "" };

function named(
  strategy: Strategy | undefined,
  mergeKeys: readonly string[] | undefined,
  columns = ["id", "day", "summary"],
) {
  const columnMap = Object.fromEntries(columns.map((column) => [column, () => null]));
  return namedTable("MySink", dialect, { targetTable: "visits", columnMap, strategy, mergeKeys });
}

test("merge keys are columns of the map, and none when inserting", () => {
  assert.deepEqual(named(undefined, ["id", "day"]).mergeKeys, ["id", "day"]);
  assert.deepEqual(named("insert", undefined).mergeKeys, []);
  const { facts, columns, table } = named("update", ["id"]);
  assert.deepEqual([columns, table.table], [["id", "day", "summary"], "visits"]);
  assert.deepEqual([facts.name, facts.keys, facts.strategy, facts.dialect.name], ["visits", ["id"], "update", "own"]);
});

test("what does not go together is rejected, with the sink's name", () => {
  const cases: readonly (readonly [Strategy, string[] | undefined, RegExp])[] = [
    ["merge", undefined, /MySink: option "mergeKeys": expected at least one column, got none/],
    ["merge", [], /expected at least one column/],
    ["merge", ["ID"], /expected columns of the columnMap \(id, day, summary\), got "ID"/],
    ["merge", ["id", "id"], /expected each column once/],
    ["update", ["id", "day", "summary"], /strategy "update" has nothing to update/],
    ["insert", ["id"], /expected none with strategy "insert", got 1/],
  ];
  for (const [strategy, keys, message] of cases) {
    assert.throws(() => named(strategy, keys), { code: "INVALID_OPTION", message });
  }
});

test("a table that has no such name, and columns that the database takes for one, are rejected", () => {
  assert.throws(() => named("insert", undefined, ["id", "ID"]), {
    option: "columnMap",
    message: /"ID" is there twice/,
  });
  const options = { targetTable: "bad", columnMap: { id: () => null }, strategy: "insert" } as const;
  assert.throws(() => namedTable("MySink", dialect, options), { option: "targetTable", message: /expected a name/ });
});
