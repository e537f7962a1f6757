import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import * as fc from "fast-check";
import type { TargetDescription, ValueType } from "../../src/contracts/target.ts";
import { dialect, SQLiteSink } from "../../src/sinks/sqlite.ts";
import { describeTable } from "../../src/sqlite/catalog.ts";
import { failsWith } from "../support/error-facts.ts";
import { everyColumn, everyColumnMap, tags } from "../support/every-column.ts";
import { query, temporaryDatabase } from "../support/sqlite.ts";

const databasePath = "none.db"; // it is never opened

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

function namesIn(database: DatabaseSync, table: string): string[] {
  const found = describeTable(database, { table: { schema: undefined, table }, strategy: "insert", coerces: false });
  return "columns" in found ? found.columns.map(({ name }) => name) : [];
}

test("each type has its column, and what the schema limits its check", () => {
  const columnMap = { ...everyColumnMap, tags };
  const sink = new SQLiteSink({ databasePath, targetTable: "visits", mergeKeys: ["id", "run_id"], columnMap });
  assert.equal(
    createTable(everyColumn.to(sink).describeTarget(), "visits"),
    `CREATE TABLE "visits" (
  "id" INTEGER NOT NULL,
  "code" TEXT CHECK (length("code") <= 12),
  "seen" TEXT NOT NULL, -- ISO 8601
  "size" INTEGER NOT NULL,
  "anything" ANY, -- any type, for the schema does not say what it is
  "category" TEXT NOT NULL,
  "confidence" REAL NOT NULL,
  "share" REAL NOT NULL,
  "weight" REAL NOT NULL,
  "visits" INTEGER NOT NULL,
  "urgent" INTEGER NOT NULL CHECK ("urgent" IN (0, 1)),
  "due" TEXT,
  "title" TEXT NOT NULL CHECK (length("title") <= 80),
  "tag_count" INTEGER NOT NULL,
  "note_length" ANY, -- any type, for its step has no schema
  "line" ANY, -- any type, for the column map makes it
  "run_id" TEXT NOT NULL,
  "model" TEXT,
  "prompt_hash" TEXT,
  "input_tokens" INTEGER,
  "started_at" TEXT NOT NULL, -- ISO 8601
  "completed_at" TEXT NOT NULL, -- ISO 8601
  "tags" TEXT NOT NULL CHECK (json_valid("tags")),
  CONSTRAINT "PK_visits" PRIMARY KEY ("id", "run_id")
) STRICT;

CREATE INDEX "IX_visits_completed_at" ON "visits" ("completed_at");
`,
  );
});

test("the sink takes the table, and every row of the pipeline gets into it", async (t) => {
  for (const mergeKeys of [["id"], ["line", "title"]] as const) {
    const path = temporaryDatabase(t, "");
    const sink = new SQLiteSink({ databasePath: path, targetTable: "visits", mergeKeys, columnMap: everyColumnMap });
    const pipeline = everyColumn.to(sink);
    const database = new DatabaseSync(path);
    database.exec(createTable(pipeline.describeTarget(), "visits"));
    database.close();
    const { status, successCount, error } = await pipeline.run();
    assert.deepEqual([status, successCount, error], ["completed", 3, null]);
    assert.equal(query(path, "SELECT * FROM visits").length, 3);
  }
});

test("whatever is in a name, it is that column's name, and nothing else is made", () => {
  const sign = fc.constantFrom(
    "]",
    "[",
    "'",
    '"',
    '""',
    "--",
    ";",
    "/*",
    "*/",
    "DROP TABLE t",
    "\n",
    "\r",
    " ",
    "é",
    "😀",
  );
  const name = fc.array(sign, { minLength: 1, maxLength: 8 }).map((signs) => signs.join(""));
  fc.assert(
    fc.property(name, fc.uniqueArray(name, { minLength: 2, maxLength: 4 }), (table, names) => {
      const target = describe(
        Object.fromEntries(names.map((each) => [each, { kind: "text", maxLength: 5, isLimit: true }])),
        names.slice(0, 1),
      );
      const timed = { ...target, columns: target.columns.map((column) => ({ ...column, isCompletedAt: true })) };
      const database = new DatabaseSync(":memory:");
      database.exec(createTable({ ...timed, keys: names.slice(1) }, `"${table.replaceAll('"', '""')}"`));
      const made = database.prepare("SELECT name FROM sqlite_schema WHERE sql IS NOT NULL AND type = 'table'").all();
      assert.deepEqual(
        made.map((row) => row["name"]),
        [table],
      );
      assert.deepEqual(namesIn(database, table), names);
      database.close();
    }),
    { seed: 7, numRuns: 100 },
  );
});

test("names that no table or column can have are refused", () => {
  const target = describe({ a: { kind: "date" } }, []);
  for (const table of ["", "dbo.t", "a.b.c", "a b", '"sqlite_stat1"', '"\u{D800}"']) {
    assert.throws(() => createTable(target, table), failsWith("INVALID_OPTION", { where: "--table" }), table);
  }
  for (const name of ["", "a\0", "\u{DC00}"]) {
    assert.throws(
      () => createTable(describe({ [name]: { kind: "date" } }, []), "t"),
      failsWith("INVALID_OPTION", { where: "columnMap", column: name }),
    );
  }
  const twice = describe({ Id: { kind: "date" }, ID: { kind: "date" } }, []);
  assert.throws(() => createTable(twice, "t"), failsWith("INVALID_OPTION", { where: "columnMap", column: "ID" }));
});

test("a limit that no text reaches is none", () => {
  const column = (maxLength: number) =>
    createTable(describe({ a: { kind: "text", maxLength, isLimit: true } }, []), "main.t");
  assert.match(column(12.9), /<= 12\)/);
  assert.match(column(1e21), /"a" TEXT\n/);
});
