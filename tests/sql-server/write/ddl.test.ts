import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialect, parse } from "@polyglot-sql/sdk";
import * as fc from "fast-check";
import { OptionError } from "../../../src/errors/option.ts";
import type { TargetDescription, ValueType } from "../../../src/contracts/target.ts";
import { dialect, SQLServerSink } from "../../../src/sinks/sql-server.ts";
import { quoteTableName } from "../../../src/sql-server/identifiers.ts";
import { everyColumn, everyColumnMap, tags } from "../../support/every-column.ts";
import { startSQLServer } from "../../support/sql-server.ts";
import { startTargetServer } from "../../support/sql-server-target.ts";

const columnMap = { ...everyColumnMap, tags };

const { createTable } = dialect;

function describe(columns: Readonly<Record<string, ValueType>>, keys: readonly string[]): TargetDescription {
  return {
    sink: "own",
    targetTable: "t",
    strategy: "merge",
    dialect,
    keys,
    columns: Object.entries(columns).map(([name, type]) => ({ name, type, isNullable: true, isCompletedAt: false })),
  };
}

/** The lines of the columns, without their names. */
function columnLines(columns: Readonly<Record<string, ValueType>>, keys: readonly string[] = []): string[] {
  const [, body = ""] = /^CREATE TABLE [^(]*\((.*)\);/s.exec(createTable(describe(columns, keys), "t")) ?? [];
  return body
    .split("\n")
    .filter((line) => /^ {2}\[/.test(line))
    .map((line) => line.replace(/^ {2}\[[^\]]*\] /, "").replace(/,(?= --|$)/, ""));
}

const text = (maxLength: number | undefined, isLimit = true): ValueType => ({ kind: "text", maxLength, isLimit });

test("each type has its column", () => {
  const sink = new SQLServerSink({ targetTable: "visits", mergeKeys: ["id"], columnMap });
  assert.equal(
    createTable(everyColumn.to(sink).describeTarget(), "visits"),
    `CREATE TABLE [dbo].[visits] (
  [id] BIGINT NOT NULL,
  [code] NVARCHAR(12) NULL,
  [seen] DATETIME2(7) NOT NULL, -- UTC
  [size] BIGINT NOT NULL,
  [anything] NVARCHAR(MAX) NULL, -- a guess, for the schema does not say what it is
  [category] NVARCHAR(100) NOT NULL,
  [confidence] DECIMAL(5,4) NOT NULL,
  [share] DECIMAL(5,4) NOT NULL,
  [weight] FLOAT NOT NULL,
  [visits] INT NOT NULL,
  [urgent] BIT NOT NULL,
  [due] DATE NULL,
  [title] NVARCHAR(80) NOT NULL,
  [tag_count] INT NOT NULL,
  [note_length] NVARCHAR(MAX) NULL, -- a guess, for its step has no schema
  [line] NVARCHAR(MAX) NULL, -- a guess, for the column map makes it
  [run_id] UNIQUEIDENTIFIER NOT NULL,
  [model] NVARCHAR(200) NULL,
  [prompt_hash] CHAR(16) NULL,
  [input_tokens] INT NULL,
  [started_at] DATETIME2(3) NOT NULL, -- UTC
  [completed_at] DATETIME2(3) NOT NULL, -- UTC
  [tags] NVARCHAR(MAX) NOT NULL, -- JSON
  CONSTRAINT [PK_visits] PRIMARY KEY ([id])
);

CREATE INDEX [IX_visits_completed_at] ON [dbo].[visits] ([completed_at]);
`,
  );
});

test("the sink takes the table, and every row of the pipeline gets into it", async (t) => {
  for (const mergeKeys of [["id"], ["line", "title"], ["run_id", "note_length", "tags"]] as const) {
    const server = await startTargetServer({}, t);
    const { connectionString } = server;
    const sink = new SQLServerSink({ connectionString, targetTable: "dbo.visits", mergeKeys, columnMap });
    const pipeline = everyColumn.to(sink);
    await server.run(createTable(pipeline.describeTarget(), "dbo.visits"));
    const { status, successCount, error } = await pipeline.run();
    assert.deepEqual([status, successCount, error], ["completed", 3, null]);
    assert.equal(server.table("dbo.visits").rows().length, 3);
  }
});

test("a limit of the schema is the width of the column; of names the width leaves room for longer ones", () => {
  const widths = { a: text(300), b: text(0), c: text(4000), d: text(4001), e: text(Infinity), f: text(undefined) };
  assert.deepEqual(columnLines(widths), [
    "NVARCHAR(300) NULL",
    "NVARCHAR(1) NULL",
    "NVARCHAR(4000) NULL",
    "NVARCHAR(MAX) NULL -- at most 4001 characters",
    "NVARCHAR(MAX) NULL",
    "NVARCHAR(MAX) NULL",
  ]);
  const names = { a: text(50, false), b: text(51, false), c: text(3999, false), d: text(4001, false) };
  assert.deepEqual(columnLines(names), [
    "NVARCHAR(50) NULL",
    "NVARCHAR(100) NULL",
    "NVARCHAR(4000) NULL",
    "NVARCHAR(MAX) NULL",
  ]);
});

test("a whole number is an INT if its limits fit, and a number from 0 to 1 a DECIMAL", () => {
  const integer = (minimum: number, maximum: number): ValueType => ({ kind: "integer", minimum, maximum });
  const number = (minimum: number, maximum: number): ValueType => ({ kind: "number", minimum, maximum });
  const numbers = {
    a: integer(-(2 ** 31), 2 ** 31 - 1),
    b: integer(0, 2 ** 31),
    c: integer(0, Infinity),
    d: number(0, 1),
    e: number(-1, 1),
    f: number(0, 100),
  };
  assert.deepEqual(
    columnLines(numbers).map((line) => line.replace(" NULL", "")),
    ["INT", "BIGINT", "BIGINT", "DECIMAL(5,4)", "FLOAT", "FLOAT"],
  );
});

test("keys are NOT NULL, and those without a limit share the bytes that a key may have", () => {
  const note = " -- a key has at most 900 bytes: make sure that this is wide enough";
  assert.deepEqual(columnLines({ a: text(undefined) }, ["a"]), [`NVARCHAR(450) NOT NULL${note}`]);
  assert.deepEqual(columnLines({ a: { kind: "json" }, b: { kind: "uuid" }, c: text(5000) }, ["a", "b", "c"]), [
    `NVARCHAR(221) NOT NULL${note}`,
    "UNIQUEIDENTIFIER NOT NULL",
    `NVARCHAR(221) NOT NULL${note}`,
  ]);
  const longer = " -- a key has at most 900 bytes: this one may have more";
  assert.deepEqual(columnLines({ a: text(400), b: text(51) }, ["a", "b"]), [
    `NVARCHAR(400) NOT NULL${longer}`,
    `NVARCHAR(51) NOT NULL${longer}`,
  ]);
});

test("whatever is in a name, it is T-SQL, its spoiled twin is not, and the names are those of the columns", async (t) => {
  const server = await startSQLServer({}, t);
  const sign = fc.constantFrom(
    "]",
    "[",
    "'",
    '"',
    "--",
    ";",
    "/*",
    "*/",
    "DROP TABLE t",
    "\n",
    " ",
    "é",
    "😀",
    "x".repeat(60),
  );
  const name = fc
    .array(sign, { minLength: 1, maxLength: 8 })
    .map((signs) => signs.join("").slice(0, 128))
    .filter((made) => made.isWellFormed() && made.trim() === made);
  const names = fc.uniqueArray(name, { minLength: 2, maxLength: 4, selector: (made) => made.toLowerCase() });
  await fc.assert(
    fc.asyncProperty(name, names, async (table, columns) => {
      const target = describe(Object.fromEntries(columns.map((each) => [each, text(5)])), columns.slice(1));
      const timed = target.columns.map((column) => ({ ...column, isCompletedAt: true }));
      const path = quoteTableName({ schema: "dbo", table });
      const sql = createTable({ ...target, columns: timed }, path);
      const parsed = parse(sql, Dialect.TSQL);
      assert.ok(parsed.success, `${parsed.error}: ${sql}`);
      assert.equal(parsed.ast?.length, 2);
      for (const [from, to] of [
        ["CREATE TABLE ", "CREATE TABLE TABLE "],
        [" PRIMARY KEY (", " PRIMARY ("],
      ] as const) {
        assert.equal(
          parse(
            sql.replace(from, () => to),
            Dialect.TSQL,
          ).success,
          false,
          sql.replace(from, () => to),
        );
      }
      await server.run(sql);
      server.table(path).insert([Object.fromEntries(columns.map((each) => [each, "a"]))]);
      assert.deepEqual(Object.keys(server.table(path).rows()[0] ?? {}), columns);
      await server.run(`DROP TABLE ${path}`);
    }),
    { seed: 7, numRuns: 60 },
  );
});

test("names that no table or column can have are refused; made names are cut to the longest", () => {
  const target = describe({ a: { kind: "date" } }, ["a"]);
  for (const table of ["", "a.b.c", "a b", `[${"x".repeat(129)}]`]) {
    assert.throws(() => createTable(target, table), { name: OptionError.name, message: /"--table"/ }, table);
  }
  for (const name of ["", "a\0", "x".repeat(129)]) {
    assert.throws(() => createTable(describe({ [name]: { kind: "date" } }, []), "t"), /"columnMap": a name /);
  }
  const long = `${"x".repeat(124)}😀`;
  assert.ok(createTable(target, `[${long}]`).includes(`CONSTRAINT [PK_${"x".repeat(124)}] PRIMARY KEY`));
});
