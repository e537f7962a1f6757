import assert from "node:assert/strict";
import { test } from "node:test";
import mssql from "mssql";
import { LLMEtlError } from "../../../src/errors/llm-etl-error.ts";
import type { ColumnValues, SinkSession } from "../../../src/contracts/sink.ts";
import { constructSink, openTarget } from "../../support/sql-server-target.ts";
import { groupsOf } from "../../../src/testing/row-groups.ts";

const sql = "CREATE TABLE dbo.t (id NVARCHAR(40) NOT NULL PRIMARY KEY, value NVARCHAR(200) NULL)";
const columns = ["id", "value"];

/** As the engine does it: each row is checked before it is written. */
async function writeChecked(session: SinkSession, batch: readonly ColumnValues[]): Promise<void> {
  for (const values of batch) assert.deepEqual(session.check?.(values), []);
  await session.write(groupsOf(batch));
}

async function refusalOf(writing: Promise<unknown>): Promise<LLMEtlError> {
  const [outcome] = await Promise.allSettled([writing]);
  assert.ok(outcome.status === "rejected" && outcome.reason instanceof LLMEtlError, "it was not refused");
  return outcome.reason;
}

test("a batch takes six round trips at most, whatever its size and strategy", async (t) => {
  for (const strategy of ["merge", "update_insert", "update", "insert"] as const) {
    for (const size of [1, 2000]) {
      const batch = Array.from({ length: size }, (_, id) => ({ id: `${strategy} ${id}`, value: "x".repeat(50) }));
      const { server, session, rows } = await openTarget(t, { sql }, columns, { strategy });
      if (strategy === "update") server.table("dbo.t").insert(batch);
      server.forget();
      await session.write(groupsOf(batch));
      assert.equal(server.roundTrips(), 6, strategy);
      assert.equal(rows().length, size);
    }
  }
});

test("two rows whose keys the target's collation takes for equal are refused, and nothing of the batch is written", async (t) => {
  for (const strategy of ["merge", "update_insert"] as const) {
    const { session, rows } = await openTarget(t, { sql }, columns, { strategy });
    const refused = await refusalOf(
      session.write(
        groupsOf([
          { id: "other", value: "1" },
          { id: "secret", value: "1" },
          { id: "SECRET ", value: "2" },
        ]),
      ),
    );
    assert.equal(refused.name, "SinkDataError");
    assert.equal(refused.message, "sql-server: another row of this run has the same merge key (id)");
    assert.match(refused.detail, /: "SECRET "$/);
    assert.deepEqual(rows(), []);
  }
});

test("a key that an earlier batch of the run has written is refused, in whatever spelling", async (t) => {
  for (const strategy of ["merge", "update_insert"] as const) {
    const { session, rows } = await openTarget(t, { sql }, columns, { strategy });
    await writeChecked(session, [{ id: "Key", value: "first" }]);
    const refused = await refusalOf(writeChecked(session, [{ id: "KEY", value: "second" }]));
    assert.match(refused.message, /another row of this run has the same merge key/);
    assert.deepEqual(rows(), [{ id: "Key", value: "first" }]);
    await writeChecked(session, [{ id: "other", value: "third" }]);
    assert.equal(rows().length, 2);
  }
});

test("a key in another spelling is that of a row that was checked and not written: it may not have changed", async (t) => {
  const { server, session, rows } = await openTarget(t, { sql }, columns);
  server.table("dbo.t").insert([{ id: "key", value: "unchanged" }]);
  assert.deepEqual(session.check?.({ id: "key", value: "unchanged" }), []);
  const refused = await refusalOf(writeChecked(session, [{ id: "KEY ", value: "other" }]));
  assert.match(refused.message, /another row of this run has the same merge key/);
  assert.deepEqual(rows(), [{ id: "key", value: "unchanged" }]);
});

test("a key that the target spells in another way is written, once", async (t) => {
  const { server, session, rows } = await openTarget(t, { sql }, columns);
  server.table("dbo.t").insert([{ id: "key", value: "old" }]);
  await writeChecked(session, [{ id: "KEY", value: "new" }]);
  assert.deepEqual(rows(), [{ id: "key", value: "new" }]);
  assert.match((await refusalOf(writeChecked(session, [{ id: "Key", value: "third" }]))).message, /same merge key/);
});

test("a collation that tells upper case from lower has them as two rows", async (t) => {
  const binary = sql.replace("NVARCHAR(40)", "NVARCHAR(40) COLLATE Latin1_General_BIN2");
  const { session, rows } = await openTarget(t, { sql: binary, serverCollation: "Latin1_General_CI_AI" }, columns);
  await writeChecked(session, [
    { id: "a", value: "1" },
    { id: "A", value: "2" },
  ]);
  assert.equal(rows().length, 2);
});

test("an update changes rows that are there, and refuses a key that no row has", async (t) => {
  const { server, session, rows } = await openTarget(t, { sql }, columns, { strategy: "update" });
  server.table("dbo.t").insert([
    { id: "a", value: "old" },
    { id: "b", value: "old" },
  ]);
  await writeChecked(session, [{ id: "A", value: "new" }]);
  assert.deepEqual(
    rows().map(({ value }) => value),
    ["new", "old"],
  );
  const refused = await refusalOf(
    writeChecked(session, [
      { id: "b", value: "new" },
      { id: "secret", value: "new" },
    ]),
  );
  assert.equal(refused.message, "sql-server: no row of [dbo].[t] has this merge key (id)");
  assert.match(refused.detail, /: "secret"$/);
  assert.deepEqual(
    rows().map(({ value }) => value),
    ["new", "old"],
    "a refused batch leaves nothing",
  );
});

test("columns that are not mapped keep what they hold, get their default in a new row, and identities count in order", async (t) => {
  const wide = `CREATE TABLE dbo.t (id NVARCHAR(40) NOT NULL PRIMARY KEY, value NVARCHAR(200) NULL, note NVARCHAR(20) NOT NULL DEFAULT N'new',
    n INT IDENTITY(1,1), both AS id, version ROWVERSION)`;
  const { server, session, rows } = await openTarget(t, { sql: wide }, columns);
  await session.write(groupsOf([{ id: "1", value: "a" }]));
  await server.run("UPDATE dbo.t SET note = N'mine'");
  await session.write(
    groupsOf([
      { id: "1", value: "b" },
      { id: "2", value: "c" },
    ]),
  );
  assert.deepEqual(
    rows().map(({ id, value, note, n, both }) => [id, value, note, n, both]),
    [
      ["1", "b", "mine", 1, "1"],
      ["2", "c", "new", 2, "2"],
    ],
  );
  const inserting = await openTarget(t, { sql: wide }, columns, { strategy: "insert" });
  await inserting.session.write(
    groupsOf(Array.from({ length: 20 }, (_, index) => ({ id: `${20 - index}`, value: null }))),
  );
  assert.deepEqual(
    inserting.rows().map(({ id, n }) => Number(id) + Number(n)),
    Array.from({ length: 20 }, () => 21),
  );
});

test("a table with triggers is written, and their counts are not taken for ours", async (t) => {
  for (const strategy of ["merge", "update_insert", "update", "insert"] as const) {
    const { server, session, rows } = await openTarget(t, { sql }, columns, { strategy });
    server.table("dbo.t").configure({ triggers: true });
    if (strategy === "update") server.table("dbo.t").insert([{ id: "1", value: "old" }]);
    await session.write(groupsOf([{ id: "1", value: "new" }]));
    assert.deepEqual(rows(), [{ id: "1", value: "new" }]);
  }
});

test("a pool of the user's may have settings of its own: SET options that indexed views refuse, rows as arrays", async (t) => {
  const { server } = await openTarget(t, { sql }, columns);
  server.table("dbo.t").configure({ wantsSettings: true });
  const { config } = server;
  const pool = new mssql.ConnectionPool({
    ...config,
    options: { ...config.options, enableQuotedIdentifier: false, enableAnsiNull: false },
    arrayRowMode: true,
  });
  t.after(() => pool.close());
  const sink = constructSink({ pool, targetTable: "t", mergeKeys: ["id"], columnMap: { id: () => 1, value: () => 1 } });
  const session = await sink.open({ signal: new AbortController().signal });
  await session.write(groupsOf([{ id: "1", value: "x" }]));
  await session.close("completed");
  assert.equal(server.table("dbo.t").rows().length, 1);
  assert.ok(pool.connected, "a pool of the user's stays open");
});

test("an index that drops rows without a word makes the batch fail rather than lose them", async (t) => {
  const ignoring = `CREATE TABLE dbo.t (id NVARCHAR(40) NOT NULL, value NVARCHAR(200) NULL); CREATE UNIQUE INDEX U ON dbo.t (id) WITH (IGNORE_DUP_KEY = ON)`;
  const { session, rows } = await openTarget(t, { sql: ignoring }, columns, { strategy: "insert" });
  await session.write(groupsOf([{ id: "1", value: "x" }]));
  const refused = await refusalOf(
    session.write(
      groupsOf([
        { id: "2", value: "x" },
        { id: "1", value: "y" },
      ]),
    ),
  );
  assert.match(
    refused.message,
    /added fewer rows than it was given: a trigger, or an index with IGNORE_DUP_KEY, left some out$/,
  );
  assert.equal(rows().length, 1);
});

test("text that a code page unknown here would lose is refused by the server's own conversion", async (t) => {
  const old = "CREATE TABLE dbo.t (id NVARCHAR(40) NOT NULL PRIMARY KEY, value VARCHAR(200) NULL)";
  const { session, rows } = await openTarget(
    t,
    {
      sql: old,
      facts: (facts) => ({ ...facts, columns: facts.columns.map((column) => ({ ...column, code_page: 850 })) }),
    },
    columns,
  );
  const refused = await refusalOf(
    writeChecked(session, [
      { id: "1", value: "fine" },
      { id: "2", value: "日本" },
    ]),
  );
  assert.equal(refused.name, "SinkDataError");
  assert.match(
    refused.message,
    /the column "value": its code page lacks characters of the text; make the column NVARCHAR/,
  );
  assert.deepEqual(rows(), []);
  await writeChecked(session, [{ id: "3", value: "Größe €" }]);
  assert.equal(rows()[0]?.["value"], "Größe €");
});

test("a pool whose connection is in a transaction is refused: what we commit there would not be kept", async (t) => {
  const { server } = await openTarget(t, { sql }, columns);
  const pool = await new mssql.ConnectionPool({ ...server.config, pool: { max: 1 } }).connect();
  t.after(() => pool.close());
  await pool.request().batch("BEGIN TRANSACTION");
  const sink = constructSink({ pool, targetTable: "t", mergeKeys: ["id"], columnMap: { id: () => 1, value: () => 1 } });
  const refused = await refusalOf(sink.open({ signal: new AbortController().signal }));
  assert.equal(refused.name, "SinkError");
  assert.match(
    refused.message,
    /was in a transaction already, in which a commit commits nothing; end your own transactions/,
  );
});

test("a connection that still has the staging table of another batch is no trouble", async (t) => {
  const { server, session, rows } = await openTarget(t, { sql }, columns);
  for (let id = 0; id < 5; id += 1) await session.write(groupsOf([{ id, value: "x" }]));
  assert.equal(rows().length, 5);
  assert.equal(new Set(server.statements.map(({ connection }) => connection)).size, 1, "one connection does for all");
});
