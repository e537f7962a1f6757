import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { OptionError } from "../../src/errors/option.ts";
import type { Strategy, TableNames } from "../../src/table/dialect.ts";
import { namedTable } from "../../src/table/strategy.ts";
import { failsWith } from "../support/error-facts.ts";

const names: TableNames = {
  parse: (text) =>
    text === "bad"
      ? { ok: false, problem: "", facts: { expected: "a name" } }
      : { ok: true, name: { schema: undefined, table: text } },
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
  const cases: readonly (readonly [Strategy, string[] | undefined, ErrorFacts])[] = [
    ["merge", undefined, { expected: "at least one column", got: "none" }],
    ["merge", [], { expected: "at least one column", got: "none" }],
    ["merge", ["ID"], { expected: "columns of the columnMap (id, day, summary)", got: '"ID"' }],
    ["merge", ["id", "id"], { expected: "each column once", got: "one twice" }],
    ["update", ["id", "day", "summary"], { expected: "a column in the columnMap that is no merge key" }],
    ["insert", ["id"], { expected: 'none with strategy "insert"', got: 1 }],
  ];
  for (const [strategy, keys, facts] of cases) {
    const isRejected = failsWith("INVALID_OPTION", { where: "mergeKeys", ...facts });
    assert.throws(
      () => named(strategy, keys),
      (error) => isRejected(error) && error instanceof OptionError && error.owner === "MySink",
    );
  }
});

test("a table that has no such name, and columns that the database takes for one, are rejected", () => {
  assert.throws(
    () => named("insert", undefined, ["id", "ID"]),
    failsWith("INVALID_OPTION", { where: "columnMap", column: "ID" }),
  );
  const options = { targetTable: "bad", columnMap: { id: () => null }, strategy: "insert" } as const;
  const isRejected = failsWith("INVALID_OPTION", { where: "targetTable", expected: "a name" });
  assert.throws(() => namedTable("MySink", dialect, options), isRejected);
});
