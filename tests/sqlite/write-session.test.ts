import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { type ErrorOptions, LLMEtlError } from "../../src/errors/llm-etl-error.ts";
import { SinkError } from "../../src/errors/sink.ts";
import { untilUnlocked } from "../../src/sqlite/open.ts";
import { findTarget, type Strategy } from "../../src/sqlite/target.ts";
import { WriteSession } from "../../src/sqlite/write-session.ts";
import type { ColumnValues } from "../../src/contracts/sink.ts";
import { execute, noAbort, query, temporaryDatabase } from "../support/sqlite.ts";

interface Opened {
  readonly path: string;
  readonly session: WriteSession;
  readonly rows: () => Record<string, unknown>[];
}

function fail(problem: string, options?: ErrorOptions): SinkError {
  return new SinkError("sqlite", problem, options);
}

function openSession(
  t: TestContext,
  sql: string,
  { strategy = "merge", signal = noAbort() }: { readonly strategy?: Strategy; readonly signal?: AbortSignal } = {},
): Opened {
  const path = temporaryDatabase(t, `PRAGMA journal_mode = WAL; ${sql}`);
  const database = new DatabaseSync(path);
  const target = findTarget(database, {
    sink: "sqlite",
    databasePath: path,
    table: "t",
    columns: ["id", "value"],
    mergeKeys: strategy === "insert" ? [] : ["id"],
    strategy,
  });
  const session = new WriteSession(database, target, fail, (attempt) => untilUnlocked(attempt, signal));
  t.after(() => session.close());
  return { path, session, rows: () => query(path, "SELECT * FROM t ORDER BY id") };
}

/** A batch of two rows, of which the second is refused: the first must not be written either. */
async function refusalOf({ session, rows }: Opened, values: ColumnValues): Promise<LLMEtlError> {
  const before = rows();
  let refused: unknown;
  try {
    await session.write([{ id: "fine", value: "x" }, values]);
  } catch (error) {
    refused = error;
  }
  assert.deepEqual(rows(), before, "a refused batch must leave nothing");
  await session.write([]);
  assert.ok(refused instanceof LLMEtlError);
  return refused;
}

test("a batch is merged by key, and values are stored in the column's terms", async (t) => {
  const { session, rows } = openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value)");
  await session.write([
    { id: 1, value: true },
    { id: "2", value: new Date(0) },
    { id: "3", value: undefined },
  ]);
  await session.write([
    { id: "1", value: 1.5 },
    { id: "4", value: Buffer.from([7]) },
  ]);
  assert.deepEqual(rows(), [
    { id: "1", value: 1.5 },
    { id: "2", value: "1970-01-01T00:00:00.000Z" },
    { id: "3", value: null },
    { id: "4", value: new Uint8Array([7]) },
  ]);
});

test("columns that are not mapped keep what they hold", async (t) => {
  const table =
    "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT, note TEXT DEFAULT 'new'); INSERT INTO t VALUES ('1', 'a', 'old')";
  const { session, rows } = openSession(t, table);
  await session.write([
    { id: "1", value: "b" },
    { id: "2", value: "c" },
  ]);
  assert.deepEqual(rows(), [
    { id: "1", value: "b", note: "old" },
    { id: "2", value: "c", note: "new" },
  ]);
});

test("each kind of constraint refuses the batch whole, without a value in the message", async (t) => {
  const problems: [string, ColumnValues, RegExp][] = [
    ["value TEXT UNIQUE", { id: "2", value: "x" }, /UNIQUE constraint failed: t\.value$/],
    ["value TEXT NOT NULL", { id: "2", value: null }, /NOT NULL constraint failed: t\.value$/],
    ["value TEXT CHECK (value <> 'secret')", { id: "2", value: "secret" }, /CHECK constraint failed/],
    ["value TEXT REFERENCES t (id)", { id: "2", value: "secret" }, /FOREIGN KEY constraint failed$/],
    ["value TEXT UNIQUE ON CONFLICT IGNORE", { id: "2", value: "x" }, /UNIQUE constraint failed: t\.value$/],
    ["value TEXT UNIQUE ON CONFLICT REPLACE", { id: "2", value: "x" }, /UNIQUE constraint failed: t\.value$/],
    ["value TEXT NOT NULL ON CONFLICT IGNORE", { id: "2", value: null }, /NOT NULL constraint failed: t\.value$/],
    [
      "value TEXT CHECK (json_extract('{}', iif(value = 'secret', value, '$')) IS NOT 0)",
      { id: "2", value: "secret" },
      /expression/,
    ],
  ];
  for (const [column, values, message] of problems) {
    const opened = openSession(
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
function firstRow(session: WriteSession, first: ColumnValues): WriteSession {
  const { write } = session;
  return Object.assign(session, {
    write: (batch: readonly ColumnValues[]) => write(batch.map((values, index) => (index === 0 ? first : values))),
  });
}

test("a deferred foreign key fails at the commit, and the batch is rolled back", async (t) => {
  const opened = openSession(
    t,
    "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT REFERENCES u (k) DEFERRABLE INITIALLY DEFERRED); CREATE TABLE u (k PRIMARY KEY); INSERT INTO u VALUES ('x')",
  );
  const refused = await refusalOf(opened, { id: "2", value: "missing" });
  assert.equal(refused.message, "sqlite: the database refused a row: FOREIGN KEY constraint failed");
  await opened.session.write([{ id: "3", value: "x" }]);
  assert.deepEqual(opened.rows(), [{ id: "3", value: "x" }]);
});

test("what a trigger raises is kept for the detail, and one that rolls back leaves the session usable", async (t) => {
  for (const kind of ["ABORT", "FAIL", "ROLLBACK"]) {
    const trigger = `CREATE TRIGGER r BEFORE INSERT ON t WHEN new.value = 'bad' BEGIN SELECT RAISE(${kind}, 'a secret reason'); END;`;
    const opened = openSession(t, `CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT); ${trigger}`);
    const refused = await refusalOf(opened, { id: "2", value: "bad" });
    assert.equal(refused.name, "SinkDataError");
    assert.equal(refused.message, "sqlite: the database refused a row: a trigger refused it");
    assert.equal(refused.detail, "a secret reason");
    await opened.session.write([{ id: "3", value: "good" }]);
    assert.equal(opened.rows().length, 1);
  }
});

test("a row that a trigger ignores is refused rather than lost", async (t) => {
  const trigger = "CREATE TRIGGER r BEFORE INSERT ON t WHEN new.value = 'bad' BEGIN SELECT RAISE(IGNORE); END;";
  const opened = openSession(t, `CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT); ${trigger}`);
  assert.match((await refusalOf(opened, { id: "2", value: "bad" })).message, /a trigger of the table ignored a row/);
});

test("a key that is no number is refused where the key is a rowid", async (t) => {
  const opened = openSession(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, value TEXT)");
  const refused = await refusalOf(
    { ...opened, session: firstRow(opened.session, { id: 1, value: "x" }) },
    { id: "two", value: "x" },
  );
  assert.equal(refused.message, "sqlite: the database refused a row: datatype mismatch");
});

test("a value that SQLite can't hold is refused also where it was not checked", async (t) => {
  const opened = openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT)");
  const refused = await refusalOf(opened, { id: "2", value: { a: "secret" } });
  assert.equal(refused.message, `sqlite: the column "value": SQLite can't hold an object`);
});

test("insert adds rows only, and a conflict is a row error", async (t) => {
  const opened = openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT); INSERT INTO t VALUES ('1', 'a')", {
    strategy: "insert",
  });
  assert.match((await refusalOf(opened, { id: "1", value: "b" })).message, /UNIQUE constraint failed: t\.id/);
  assert.deepEqual(opened.session.check({ id: "2", value: "x" }), []);
  assert.deepEqual(opened.session.check({ id: "2", value: "x" }), [], "without merge keys equal rows are two rows");
});

test("update changes the row with the key, and a key that no row has is a row error", async (t) => {
  const opened = openSession(
    t,
    "CREATE TABLE t (id TEXT, value TEXT); CREATE UNIQUE INDEX i ON t (id COLLATE NOCASE); INSERT INTO t VALUES ('a', ''), ('fine', '')",
    { strategy: "update" },
  );
  await opened.session.write([{ id: "A", value: "changed" }]);
  assert.equal(opened.rows()[0]?.["value"], "changed");
  const refused = await refusalOf(opened, { id: "key 7", value: "x" });
  assert.equal(refused.message, 'sqlite: no row of "t" has this merge key (id)');
  assert.match(refused.detail, /: "key 7"$/);
});

test("check finds what the table can't hold, with the value in the detail only", (t) => {
  const { session } = openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT");
  assert.deepEqual(session.check({ id: "1", value: 5 }), []);
  assert.deepEqual(session.check({ id: "2", value: "secret" }), [
    {
      column: "value",
      message: "the column holds INTEGER only, got a text of 6 characters",
      detail: 'the column holds INTEGER only, got a text of 6 characters: "secret"',
    },
  ]);
  assert.deepEqual(
    session.check({}).map(({ column, message }) => [column, message]),
    [
      ["id", "a merge key can't be NULL: it would find no row"],
      ["value", "the column is NOT NULL, got NULL"],
    ],
  );
  assert.deepEqual(session.check({ id: "2", value: 6 }), [], "a row that was refused has not used up its key");
});

test("check finds a second row with a merge key that the target holds equal", (t) => {
  const { session } = openSession(t, "CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, value TEXT)");
  assert.deepEqual(session.check({ id: "Key", value: "a" }), []);
  assert.deepEqual(session.check({ id: "KEY", value: "b" }), [
    {
      column: "id",
      message: "another row of this run has the same merge key",
      detail: 'another row of this run has the same merge key: "KEY"',
    },
  ]);
});

test("a rowid may be NULL in a row that is added, but not as a merge key", (t) => {
  const table = "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, value TEXT)";
  assert.deepEqual(openSession(t, table, { strategy: "insert" }).session.check({ id: null, value: "x" }), []);
  assert.equal(openSession(t, table).session.check({ id: null, value: "x" }).length, 1);
});

test("a table that was dropped during the run is the sink's failure and not the row's", async (t) => {
  const { session, path } = openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT)");
  execute(path, "DROP TABLE t");
  await assert.rejects(session.write([{ id: "1", value: "x" }]), {
    name: "SinkError",
    message: /can't be written: no such table/,
  });
});

test("an abort ends a write that waits for a lock, but not one that need not wait", async (t) => {
  const controller = new AbortController();
  const opened = openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT)", { signal: controller.signal });
  const holder = new DatabaseSync(opened.path);
  holder.exec("BEGIN IMMEDIATE");
  const reason = new Error("enough");
  const writing = opened.session.write([{ id: "1", value: "x" }]);
  controller.abort(reason);
  await assert.rejects(writing, reason);
  holder.close();
  await opened.session.write([{ id: "1", value: "x" }]);
  assert.equal(opened.rows().length, 1);
});

test("a closed session writes nothing, and can be closed again", async (t) => {
  const { session } = openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY, value TEXT)");
  await session.close();
  await session.close();
  await session.write([]);
  await assert.rejects(session.write([{ id: "1", value: "x" }]), { name: "SinkError", message: /the sink is closed/ });
});

test("a row's key is told as its index holds keys equal; rows that are only inserted have none", (t) => {
  const keyed = openSession(t, "CREATE TABLE t (id TEXT PRIMARY KEY COLLATE NOCASE, value)").session;
  assert.equal(keyed.keyOf({ id: "Abc", value: 1 }), "abc");
  assert.equal(keyed.keyOf({ id: 7, value: 1 }), "7");
  const inserted = openSession(t, "CREATE TABLE t (id, value)", { strategy: "insert" }).session;
  assert.equal(inserted.keyOf({ id: "a", value: 1 }), undefined);
});
