import assert from "node:assert/strict";
import { copyFileSync, renameSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { LLMEtlError } from "../../src/errors/llm-etl-error.ts";
import type { ColumnValues, SinkSession } from "../../src/contracts/sink.ts";
import { groupsOf } from "../../src/testing/row-groups.ts";
import { constructSQLiteSink } from "../support/sqlite-under-test.ts";
import { failsWith } from "../support/error-facts.ts";
import { execute, noAbort, query, temporaryDatabase } from "../support/sqlite.ts";

interface Opened {
  readonly path: string;
  readonly session: SinkSession;
  readonly rows: () => Record<string, unknown>[];
}

async function openSession(
  t: TestContext,
  sql: string,
  {
    strategy = "merge",
    signal = noAbort(),
    ...options
  }: { readonly strategy?: string; readonly signal?: AbortSignal; readonly busyTimeoutMs?: number } = {},
): Promise<Opened> {
  const path = temporaryDatabase(t, sql);
  const sink = constructSQLiteSink<never>({
    databasePath: path,
    targetTable: "t",
    columnMap: { id: () => null, value: () => null },
    strategy,
    ...options,
    ...(strategy !== "insert" && { mergeKeys: ["id"] }),
  });
  const session = await sink.open({ signal });
  t.after(() => session.close("stopped"));
  return { path, session, rows: () => query(path, "SELECT * FROM t ORDER BY id") };
}

/** A batch of two rows, of which the second is refused: the first must not be written either. */
async function refusalOf({ session, rows }: Opened, values: ColumnValues): Promise<LLMEtlError> {
  const before = rows();
  let refused: unknown;
  try {
    await session.write(groupsOf([{ id: "fine", value: "x" }, values]));
  } catch (error) {
    refused = error;
  }
  assert.deepEqual(rows(), before, "a refused batch must leave nothing");
  await session.write([]);
  assert.ok(refused instanceof LLMEtlError);
  return refused;
}

test("a batch is merged by key, and values are stored in the column's terms", async (t) => {
  const { session, rows } = await openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value)");
  await session.write(
    groupsOf([
      { id: 1, value: true },
      { id: "2", value: new Date(0) },
      { id: "3", value: undefined },
    ]),
  );
  await session.write(
    groupsOf([
      { id: "1", value: 1.5 },
      { id: "4", value: Buffer.from([7]) },
    ]),
  );
  assert.deepEqual(rows(), [
    { id: "1", value: 1.5 },
    { id: "2", value: "1970-01-01T00:00:00.000Z" },
    { id: "3", value: null },
    { id: "4", value: new Uint8Array([7]) },
  ]);
});

test("each kind of constraint refuses the batch whole, without a value in the message", async (t) => {
  const problems: [string, ColumnValues, RegExp][] = [
    ["value TEXT UNIQUE", { id: "2", value: "x" }, /UNIQUE constraint failed: t\.value$/],
    ["value TEXT NOT NULL", { id: "2", value: null }, /the column is NOT NULL, got NULL$/],
    ["value TEXT CHECK (value <> 'secret')", { id: "2", value: "secret" }, /CHECK constraint failed/],
    ["value TEXT REFERENCES t (id)", { id: "2", value: "secret" }, /FOREIGN KEY constraint failed$/],
    ["value TEXT UNIQUE ON CONFLICT IGNORE", { id: "2", value: "x" }, /UNIQUE constraint failed: t\.value$/],
    ["value TEXT UNIQUE ON CONFLICT REPLACE", { id: "2", value: "x" }, /UNIQUE constraint failed: t\.value$/],
    ["value TEXT NOT NULL ON CONFLICT IGNORE", { id: "2", value: null }, /the column is NOT NULL, got NULL$/],
    [
      "value TEXT CHECK (json_extract('{}', iif(value = 'secret', value, '$')) IS NOT 0)",
      { id: "2", value: "secret" },
      /expression/,
    ],
  ];
  for (const [column, values, message] of problems) {
    const opened = await openSession(
      t,
      `CREATE TABLE t (id TEXT PRIMARY KEY, ${column}); INSERT INTO t VALUES ('fine', 'fine')`,
    );
    const before = column.includes("REFERENCES") ? { id: "fine", value: "fine" } : { id: "fine", value: "x" };
    const refused = await refusalOf({ ...opened, session: firstRow(opened.session, before) }, values);
    assert.equal(refused.name, "SinkDataError", column);
    if (!column.includes("CHECK (value")) assert.doesNotMatch(refused.message, /secret/, column);
    assert.match(refused.message, message);
  }
});

/** Puts a fitting first row into the batch. */
function firstRow(session: SinkSession, first: ColumnValues): SinkSession {
  const write: SinkSession["write"] = async (batch) => {
    await session.write(batch.map((group, index) => (index === 0 ? { ...group, rows: [first] } : group)));
  };
  return { close: session.close, write };
}

test("a deferred foreign key fails at the commit, and the batch is rolled back", async (t) => {
  const opened = await openSession(
    t,
    "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT REFERENCES u (k) DEFERRABLE INITIALLY DEFERRED); CREATE TABLE u (k PRIMARY KEY); INSERT INTO u VALUES ('x')",
  );
  const refused = await refusalOf(opened, { id: "2", value: "missing" });
  assert.equal(refused.message, "sqlite: the database rejected a row: FOREIGN KEY constraint failed");
  await opened.session.write(groupsOf([{ id: "3", value: "x" }]));
  assert.deepEqual(opened.rows(), [{ id: "3", value: "x" }]);
});

test("what a trigger raises is kept for the detail, and one that rolls back leaves the session usable", async (t) => {
  for (const kind of ["ABORT", "FAIL", "ROLLBACK"]) {
    const trigger = `CREATE TRIGGER r BEFORE INSERT ON t WHEN new.value = 'bad' BEGIN SELECT RAISE(${kind}, 'a secret reason'); END;`;
    const opened = await openSession(t, `CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT); ${trigger}`);
    const refused = await refusalOf(opened, { id: "2", value: "bad" });
    assert.equal(refused.name, "SinkDataError");
    assert.equal(refused.message, "sqlite: the database rejected a row: a trigger rejected it");
    assert.equal(refused.detail, "a secret reason");
    await opened.session.write(groupsOf([{ id: "3", value: "good" }]));
    assert.equal(opened.rows().length, 1);
  }
});

test("a row that a trigger ignores is refused rather than lost", async (t) => {
  const trigger = "CREATE TRIGGER r BEFORE INSERT ON t WHEN new.value = 'bad' BEGIN SELECT RAISE(IGNORE); END;";
  const opened = await openSession(t, `CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT); ${trigger}`);
  assert.match((await refusalOf(opened, { id: "2", value: "bad" })).message, /a trigger of the table ignored a row/);
});

test("a key that is no number is rejected where the key is a rowid", async (t) => {
  const { session } = await openSession(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT)");
  assert.equal(session.check?.({ id: "2", value: "x" }).length, 0);
  assert.match(session.check?.({ id: "two", value: "x" })[0]?.message ?? "", /holds INTEGER only, got a text of 3/);
});

test("insert adds rows only, and a conflict is a row error", async (t) => {
  const opened = await openSession(
    t,
    "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT); INSERT INTO t VALUES ('1', 'a')",
    {
      strategy: "insert",
    },
  );
  assert.match((await refusalOf(opened, { id: "1", value: "b" })).message, /UNIQUE constraint failed: t\.id/);
});

test("update changes the row with the key, and a key that no row has is a row error", async (t) => {
  const opened = await openSession(
    t,
    "CREATE TABLE t (id TEXT, value TEXT); CREATE UNIQUE INDEX i ON t (id COLLATE NOCASE); INSERT INTO t VALUES ('a', ''), ('fine', '')",
    { strategy: "update" },
  );
  await opened.session.write(groupsOf([{ id: "A", value: "changed" }]));
  assert.equal(opened.rows()[0]?.["value"], "changed");
  const refused = await refusalOf(opened, { id: "key 7", value: "x" });
  assert.equal(refused.message, 'sqlite: no row of "t" has this merge key (id)');
  assert.match(refused.detail, /: "key 7"$/);
});

test("check finds what the table can't hold, with the value in the detail only", async (t) => {
  const { session } = await openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT");
  assert.deepEqual(session.check?.({ id: "1", value: 5 }), []);
  assert.deepEqual(session.check?.({ id: "2", value: "secret" }), [
    {
      column: "value",
      message: "the column holds INTEGER only, got a text of 6 characters",
      detail: 'the column holds INTEGER only, got a text of 6 characters: "secret"',
    },
  ]);
});

test("of a row that did not change, and so is not written, the key alone is checked", async (t) => {
  const { session } = await openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT");
  assert.deepEqual(session.check?.({ id: "1", value: "secret" }, "1"), []);
  assert.deepEqual(
    session.check?.({ id: "1", value: 5 }).map(({ column }) => column),
    ["id"],
  );
});

test("a rowid may be NULL in a row that is added, but not as a merge key", async (t) => {
  const table = "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, value TEXT)";
  assert.deepEqual((await openSession(t, table, { strategy: "insert" })).session.check?.({ id: null, value: "x" }), []);
  assert.equal((await openSession(t, table)).session.check?.({ id: null, value: "x" })?.length, 1);
});

test("a table that was dropped during the run is the sink's failure and not the row's", async (t) => {
  const { session, path } = await openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT)");
  execute(path, "DROP TABLE t");
  await assert.rejects(
    session.write(groupsOf([{ id: "1", value: "x" }])),
    failsWith("SINK_FAILED", { where: "t", errorNumber: 1 }),
  );
});

for (const ending of ["", "-wal"]) {
  for (const how of ["deleted", "replaced by another file"]) {
    test(`a batch is not committed to a database whose file *${ending} was ${how}`, async (t) => {
      const { path, session, rows } = await openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT)");
      await session.write(groupsOf([{ id: "1", value: "x" }]));
      assert.equal(rows().length, 1);
      const file = `${path}${ending}`;
      renameSync(file, `${file}.away`);
      if (how !== "deleted") copyFileSync(`${file}.away`, file);
      await assert.rejects(
        session.write(groupsOf([{ id: "2", value: "x" }])),
        failsWith("SINK_FAILED", { where: file, problem: `was ${how}` }),
      );
    });
  }
}

test("a database that was deleted after the last batch is no complete target", async (t) => {
  const { path, session } = await openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT)");
  await session.write(groupsOf([{ id: "1", value: "x" }]));
  rmSync(path);
  await assert.rejects(session.close("completed"), failsWith("SINK_FAILED", { where: path, problem: "was deleted" }));
  await session.close("completed");
});

test("a lock that is not freed within busyTimeoutMs stops the write; calls in flight go on meanwhile", async (t) => {
  const { path, session, rows } = await openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT)", {
    busyTimeoutMs: 60,
  });
  const holder = new DatabaseSync(path);
  holder.exec("BEGIN IMMEDIATE");
  let turns = 0;
  const ticking = setInterval(() => (turns += 1), 1);
  await assert.rejects(
    session.write(groupsOf([{ id: "1", value: "x" }])),
    failsWith("SINK_FAILED", { errorNumber: 5 }),
  );
  clearInterval(ticking);
  assert.ok(turns > 3, "the event loop was held up");
  holder.close();
  await session.write(groupsOf([{ id: "1", value: "x" }]));
  assert.equal(rows().length, 1);
});

test("a write waits for a lock that another connection frees", async (t) => {
  const { path, session, rows } = await openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT)");
  const holder = new DatabaseSync(path);
  t.after(() => holder.close());
  holder.exec("BEGIN IMMEDIATE");
  const writing = session.write(groupsOf([{ id: "1", value: "x" }]));
  await setTimeout(30);
  holder.exec("COMMIT");
  await writing;
  assert.equal(rows().length, 1);
});

test("an abort ends a write that waits for a lock, but not one that need not wait", async (t) => {
  const controller = new AbortController();
  const opened = await openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT)", {
    signal: controller.signal,
  });
  const holder = new DatabaseSync(opened.path);
  holder.exec("BEGIN IMMEDIATE");
  const reason = new Error("enough");
  const writing = opened.session.write(groupsOf([{ id: "1", value: "x" }]));
  controller.abort(reason);
  await assert.rejects(writing, reason);
  holder.close();
  await opened.session.write(groupsOf([{ id: "1", value: "x" }]));
  assert.equal(opened.rows().length, 1);
});

test("a row's key is told as its index holds keys equal", async (t) => {
  const keyed = (await openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY COLLATE NOCASE, value)")).session;
  assert.equal(keyed.keyOf?.({ id: "Abc", value: 1 }), "abc");
  assert.equal(keyed.keyOf?.({ id: 7, value: 1 }), "7");
  const trimmed = (await openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY COLLATE RTRIM, value)")).session;
  assert.equal(trimmed.keyOf?.({ id: "Abc  ", value: 1 }), "Abc");
});

/** Of each key, whether it is the first of a run. */
async function firsts(t: TestContext, sql: string, ids: readonly unknown[]): Promise<boolean[]> {
  const { session } = await openSession(t, sql);
  return ids.map((id) => session.check?.({ id, value: "x" }).length === 0);
}

test("keys of a run are equal where the column's affinity makes them equal", async (t) => {
  const integers = "CREATE TABLE t (id INTEGER PRIMARY KEY, value)";
  assert.deepEqual(await firsts(t, integers, [5, "5", 5n, " 5 ", "6"]), [true, false, false, false, true]);
  assert.deepEqual(await firsts(t, "CREATE TABLE t (id PRIMARY KEY, value)", [5, "5"]), [true, true]);
});

test("keys of a run are equal where the index's collation makes them equal", async (t) => {
  const folded = "CREATE TABLE t (id TEXT, value); CREATE UNIQUE INDEX i ON t (id COLLATE NOCASE)";
  assert.deepEqual(await firsts(t, folded, ["key", "KEY", "key "]), [true, false, true]);
  const trimmed = "CREATE TABLE t (id TEXT COLLATE RTRIM PRIMARY KEY, value)";
  assert.deepEqual(await firsts(t, trimmed, ["key", "KEY", "key "]), [true, true, false]);
});

test("a key is made of all its columns, in the index's collation also where the columns have another", async (t) => {
  const path = temporaryDatabase(
    t,
    "CREATE TABLE t (a TEXT, b TEXT, c TEXT); CREATE UNIQUE INDEX i ON t (b COLLATE NOCASE, a)",
  );
  const columnMap = { a: () => null, b: () => null, c: () => null };
  const session = await constructSQLiteSink<never>({
    databasePath: path,
    targetTable: "t",
    columnMap,
    mergeKeys: ["a", "b"],
  }).open({
    signal: noAbort(),
  });
  assert.deepEqual([session.keyOf?.({ a: "X", b: "Y" }), session.check?.({ a: "Y", b: "X" })], ['["X","y"]', []]);
  await session.write(groupsOf([{ a: "1", b: "k", c: "old" }]));
  await session.write(groupsOf([{ a: "1", b: "K", c: "new" }]));
  await session.close("completed");
  assert.deepEqual(query(path, "SELECT * FROM t"), [{ a: "1", b: "k", c: "new" }]);
});
