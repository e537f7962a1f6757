import assert from "node:assert/strict";
import { test } from "node:test";
import { createTable, type TableDDL } from "../../src/table/ddl.ts";
import type { TargetDescription } from "../../src/contracts/target.ts";

const dialect: TableDDL = {
  names: {
    parse: (table) => ({ ok: true, name: { schema: "s", table } }),
    quote: (name) => `<${name}>`,
    quoteTable: ({ schema, table }) => `<${schema}>.<${table}>`,
    fold: (name) => name,
    problemOf: () => undefined,
  },
  definitions:
    () =>
    ({ name }) =>
      name === "at" ? { sql: "TIME", note: "UTC" } : { sql: "TEXT" },
  options: " STRICT",
};

function describe(names: readonly string[], keys: readonly string[], strategy = "merge"): TargetDescription {
  const type = { kind: "json" } as const;
  const columns = names.map((name) => ({ name, type, isNullable: false, isCompletedAt: name === "at" }));
  return { sink: "own", targetTable: "s.t", strategy, keys, columns, dialect: undefined };
}

test("columns, then the key in the order of the merge keys, then the index on the time of completion", () => {
  assert.equal(
    createTable(dialect, describe(["a", "at", "b"], ["b", "a"]), "t"),
    `CREATE TABLE <s>.<t> (
  <a> TEXT,
  <at> TIME, -- UTC
  <b> TEXT,
  CONSTRAINT <PK_t> PRIMARY KEY (<b>, <a>)
) STRICT;

CREATE INDEX <IX_t_at> ON <s>.<t> (<at>);
`,
  );
});

test("without keys there is no primary key, and without a time, or where the key begins with it, no index", () => {
  assert.equal(
    createTable(dialect, describe(["a"], [], "insert"), "t"),
    "CREATE TABLE <s>.<t> (\n  <a> TEXT\n) STRICT;\n",
  );
  assert.doesNotMatch(createTable(dialect, describe(["at"], ["at"]), "t"), /INDEX/);
});

test("for the strategy update it says that the table is one that is there", () => {
  assert.match(
    createTable(dialect, describe(["a", "b"], ["a"], "update"), "t"),
    /^-- .*\n-- .*ALTER TABLE.*\nCREATE TABLE /,
  );
});
