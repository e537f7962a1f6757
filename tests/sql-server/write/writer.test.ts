import assert from "node:assert/strict";
import { test } from "node:test";
import mssql from "mssql";
import type { ColumnValues, SinkSession } from "../../../src/contracts/sink.ts";
import { LLMEtlError } from "../../../src/errors/llm-etl-error.ts";
import { groupsOf } from "../../../src/testing/row-groups.ts";
import { failsWith } from "../../support/error-facts.ts";
import { resultSet } from "../../support/tds/catalog.ts";
import { constructSink, openTarget, startTargetServer, type TargetFacts } from "../../support/sql-server-target.ts";

// The promises of every sink of tables are tested in tests/sinks/sql-server.test.ts.

const sql = "CREATE TABLE dbo.t (id NVARCHAR(40) NOT NULL PRIMARY KEY, value NVARCHAR(20) NULL)";
const columns = ["id", "value"];
const strategies = ["merge", "update_insert", "update", "insert"] as const;
const row = { id: "1", value: "x" };
const sameKey = failsWith("SINK_DATA_REFUSED", { where: ["id"] });

/** As the engine does it: each row is checked before it is written. */
async function writeChecked(session: SinkSession, batch: readonly ColumnValues[]): Promise<void> {
  for (const values of batch) assert.deepEqual(session.check?.(values), []);
  await session.write(groupsOf(batch));
}

async function failureOf(writing: Promise<unknown>): Promise<LLMEtlError> {
  const [outcome] = await Promise.allSettled([writing]);
  assert.ok(outcome.status === "rejected" && outcome.reason instanceof LLMEtlError, "it did not fail");
  return outcome.reason;
}

/** The catalog as it was before somebody narrowed the column `value`. */
function wider(facts: TargetFacts): TargetFacts {
  return {
    ...facts,
    columns: facts.columns.map((column) =>
      column["column_name"] === "value" ? { ...column, max_length: 400 } : column,
    ),
  };
}

test("a batch takes five round trips, whatever its size and strategy", async (t) => {
  for (const strategy of strategies) {
    for (const size of [1, 2000]) {
      const batch = Array.from({ length: size }, (_, id) => ({ id: `${strategy} ${id}`, value: "x".repeat(20) }));
      const { server, session, rows } = await openTarget(t, { sql }, columns, { strategy });
      if (strategy === "update") server.table("dbo.t").insert(batch);
      server.forget();
      await session.write(groupsOf(batch));
      assert.equal(server.roundTrips(), 5, strategy);
      assert.equal(rows().length, size);
    }
  }
});

test("the staging table, which nobody else sees, is locked while it is loaded", async (t) => {
  const { server, session } = await openTarget(t, { sql }, columns);
  await session.write(groupsOf([row]));
  const loads = server.statements.filter(({ text }) => text.startsWith("insert bulk"));
  assert.deepEqual(
    loads.map(({ text }) => /WITH \((.+)\)$/.exec(text)?.[1]),
    ["KEEP_NULLS,TABLOCK"],
  );
});

test("two rows whose keys the target's collation takes for equal are rejected, and nothing of the batch is written", async (t) => {
  for (const strategy of ["merge", "update_insert"] as const) {
    const { session, rows } = await openTarget(t, { sql }, columns, { strategy });
    const twins = [
      { id: "other", value: "1" },
      { id: "secret", value: "1" },
      { id: "SECRET ", value: "2" },
    ];
    const rejected = await failureOf(session.write(groupsOf(twins)));
    sameKey(rejected);
    assert.match(rejected.detail, /: "SECRET "$/);
    assert.deepEqual(rows(), []);
  }
});

test("a key in another spelling is that of a row that was checked and not written: it may not have changed", async (t) => {
  const { server, session, rows } = await openTarget(t, { sql }, columns);
  server.table("dbo.t").insert([{ id: "key", value: "unchanged" }]);
  assert.deepEqual(session.check?.({ id: "key", value: "unchanged" }), []);
  await assert.rejects(writeChecked(session, [{ id: "KEY ", value: "other" }]), sameKey);
  assert.deepEqual(rows(), [{ id: "key", value: "unchanged" }]);
});

test("a merge key that the server rounds, or compares without what differs, is that of a row that did not change", async (t) => {
  for (const [type, kept, other] of [
    ["DATETIME", "2025-03-01T12:00:05.123", "2025-03-01T12:00:05.124"],
    ["DATETIMEOFFSET(3)", "2025-03-01T12:00:05Z", "2025-03-01T13:00:05+01:00"],
    ["BINARY(3)", Buffer.from([1, 2]), Buffer.from([1, 2, 0])],
    ["VARBINARY(3)", Buffer.from([1, 2]), Buffer.from([1, 2, 0])],
  ] as const) {
    const typed = `CREATE TABLE dbo.t (id ${type} NOT NULL PRIMARY KEY, value NVARCHAR(20) NULL)`;
    const { session } = await openTarget(t, { sql: typed }, columns);
    assert.deepEqual(session.check?.({ id: kept, value: "unchanged" }), []);
    assert.equal(session.check?.({ id: other, value: "changed" }).length, 1, type);
    assert.equal(session.keyOf?.({ id: kept }), session.keyOf?.({ id: other }), type);
  }
});

test("a key that the target spells in another way is written, once", async (t) => {
  const { server, session, rows } = await openTarget(t, { sql }, columns);
  server.table("dbo.t").insert([{ id: "key", value: "old" }]);
  await writeChecked(session, [{ id: "KEY", value: "new" }]);
  assert.deepEqual(rows(), [{ id: "key", value: "new" }]);
  await assert.rejects(writeChecked(session, [{ id: "Key", value: "third" }]), sameKey);
});

test("the journal's key is the target's own spelling: ß and ss are one key or two as the server says, not as letters fold", async (t) => {
  const [sharp, plain] = [
    { id: "Straße", value: "x" },
    { id: "Strasse", value: "x" },
  ];
  const places = [sharp, plain].map(({ id }, index) => [index, id]);
  const apart = await openTarget(t, { sql }, columns);
  apart.server.on(/MERGE INTO/, () => {
    return [resultSet({ llm_etl_row: { name: "int" }, k0: { name: "nvarchar", length: 4000 } }, places)];
  });
  await writeChecked(apart.session, [sharp, plain]);
  assert.notEqual(apart.session.keyOf?.(sharp), apart.session.keyOf?.(plain));
  const one = await openTarget(t, { sql }, columns);
  await writeChecked(one.session, [sharp]);
  const later = await openTarget(t, { sql: `${sql}; INSERT INTO dbo.t (id) VALUES (N'Straße')` }, columns);
  await writeChecked(later.session, [plain]);
  assert.equal(one.session.keyOf?.(sharp), later.session.keyOf?.(plain));
});

test("a row that did not change keeps its place, whichever spelling of its key the target has", async (t) => {
  const { server, session, rows } = await openTarget(t, { sql }, columns);
  server.table("dbo.t").insert([{ id: "ss", value: "of ß" }]);
  const [unchanged, other] = [
    { id: "ß", value: "of ß" },
    { id: "ss", value: "of ss" },
  ];
  const earlier = await openTarget(t, { sql: `${sql}; INSERT INTO dbo.t (id) VALUES (N'ss')` }, columns);
  await writeChecked(earlier.session, [unchanged]);
  const key = earlier.session.keyOf?.(unchanged);
  assert.ok(key !== undefined);
  assert.deepEqual(session.check?.(unchanged, key), []);
  await assert.rejects(writeChecked(session, [other]), sameKey);
  assert.deepEqual(rows(), [{ id: "ss", value: "of ß" }]);
  const written = await openTarget(t, { sql: `${sql}; INSERT INTO dbo.t (id) VALUES (N'ss')` }, columns);
  await writeChecked(written.session, [other]);
  assert.equal(written.session.check?.(unchanged, key).length, 1, "another row has been written there since");
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
  for (const strategy of strategies) {
    const { server, session, rows } = await openTarget(t, { sql }, columns, { strategy });
    server.table("dbo.t").configure({ triggers: true });
    if (strategy === "update") server.table("dbo.t").insert([{ id: "1", value: "old" }]);
    await session.write(groupsOf([{ id: "1", value: "new" }]));
    assert.deepEqual(rows(), [{ id: "1", value: "new" }]);
  }
});

test("a pool of the user's may have settings of its own: SET options that indexed views reject, rows as arrays", async (t) => {
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
  const batch = [
    { id: "2", value: "x" },
    { id: "1", value: "y" },
  ];
  const isShort = failsWith("SINK_DATA_REFUSED", { where: "dbo.t", expected: 2, got: 1 });
  await assert.rejects(session.write(groupsOf(batch)), isShort);
  assert.equal(rows().length, 1);
});

test("text that a code page unknown here would lose is rejected by the server's own conversion", async (t) => {
  const old = "CREATE TABLE dbo.t (id NVARCHAR(40) NOT NULL PRIMARY KEY, value VARCHAR(200) NULL)";
  const { session, rows } = await openTarget(
    t,
    {
      sql: old,
      facts: (facts) => ({ ...facts, columns: facts.columns.map((column) => ({ ...column, code_page: 850 })) }),
    },
    columns,
  );
  const batch = [
    { id: "1", value: "fine" },
    { id: "2", value: "日本" },
  ];
  await assert.rejects(writeChecked(session, batch), failsWith("SINK_DATA_REFUSED", { where: "value" }));
  assert.deepEqual(rows(), []);
  await writeChecked(session, [{ id: "3", value: "Größe €" }]);
  assert.equal(rows()[0]?.["value"], "Größe €");
});

test("a pool whose connection is in a transaction is rejected: what we commit there would not be kept", async (t) => {
  const { server } = await openTarget(t, { sql }, columns);
  const pool = await new mssql.ConnectionPool({ ...server.config, pool: { max: 1 } }).connect();
  t.after(() => pool.close());
  await pool.request().batch("BEGIN TRANSACTION");
  const sink = constructSink({ pool, targetTable: "t", mergeKeys: ["id"], columnMap: { id: () => 1, value: () => 1 } });
  const opening = sink.open({ signal: new AbortController().signal });
  await assert.rejects(opening, failsWith("SINK_FAILED", { where: "pool" }));
});

test("a connection that still has the staging table of another batch is no trouble", async (t) => {
  const { server, session, rows } = await openTarget(t, { sql }, columns);
  for (let id = 0; id < 5; id += 1) await session.write(groupsOf([{ id, value: "x" }]));
  assert.equal(rows().length, 5);
  assert.equal(new Set(server.statements.map(({ connection }) => connection)).size, 1, "one connection does for all");
});

test("a deadlock, a broken connection and a failover are overcome, whichever statement they hit", async (t) => {
  for (const strategy of ["merge", "update_insert", "insert"] as const) {
    const { server, session, rows } = await openTarget(t, { sql }, columns, { strategy });
    const statements = [/BEGIN TRANSACTION/, /CREATE TABLE/, /insert bulk/i, /BULK ROWS/, /MERGE|UPDATE t|INSERT INTO/];
    for (const [index, on] of statements.entries()) {
      for (const [kind, fault] of Object.entries({
        deadlock: { error: 1205 },
        broken: { drop: "before" },
        failover: { error: 40_197 },
      } as const)) {
        server.faults.clear();
        const armed = server.faults.add({ on, ...fault });
        await session.write(groupsOf([{ id: `${strategy} ${index} ${kind}`, value: "x" }]));
        assert.equal(armed.hits, 1, `${String(on)} ${kind}`);
      }
    }
    assert.equal(rows().length, statements.length * 3, strategy);
  }
});

test("a denied login while reconnecting is overcome", async (t) => {
  const { server, session, rows } = await openTarget(t, { sql }, columns);
  server.kill();
  server.faults.refuseLogin(40_613, 2);
  await session.write(groupsOf([row]));
  assert.deepEqual(rows(), [row]);
});

test("a restart or failover is waited out, however often the login is denied meanwhile", async (t) => {
  for (const number of [4060, 18_456, 921, 983, 6005, 18_401]) {
    const { server, session, rows } = await openTarget(t, { sql }, columns);
    server.kill();
    server.faults.refuseLogin(number, 4);
    await session.write(groupsOf([row]));
    assert.deepEqual(rows(), [row], `${number}`);
  }
});

test("a login that stays denied ends the run with its number, what to do, and the time that it was tried", async (t) => {
  for (const [number, triedForMs] of [
    [18_456, undefined],
    [18_470, 0],
  ] as const) {
    const { server, session } = await openTarget(t, { sql }, columns, { sinkTimeoutMs: 60 });
    server.kill();
    server.faults.refuseLogin(number, 1000);
    const failure = await failureOf(session.write(groupsOf([row])));
    failsWith("SINK_FAILED", { errorNumbers: [number] })(failure);
    assert.match(failure.facts.hint ?? "", /login|User ID/);
    assert.doesNotMatch(failure.message, /300 seconds/);
    if (triedForMs === undefined) assert.ok(Number(failure.facts["triedForMs"]) < 60_000);
  }
});

test("a raised error before the first row is no row's", async (t) => {
  const server = await startTargetServer({ sql }, t);
  for (const on of [/llm-etl:target/, /CREATE TABLE/, /MERGE/]) {
    server.faults.add({ on, error: { number: 33_557_097, message: "secret" } });
    const sink = constructSink({
      connectionString: server.connectionString,
      targetTable: "dbo.t",
      mergeKeys: ["id"],
      columnMap: { id: () => 1, value: () => 1 },
    });
    const failure = await failureOf(sink.open({ signal: new AbortController().signal }));
    failsWith("SINK_FAILED", { errorNumbers: [33_557_097] })(failure);
    assert.doesNotMatch(failure.message, /trigger|secret/);
    server.faults.clear();
  }
});

test("a connection that ends right after an answer is overcome, whichever statement it was", async (t) => {
  for (const strategy of ["merge", "update_insert", "insert"] as const) {
    const { server, session, rows } = await openTarget(t, { sql }, columns, { strategy });
    const statements = [
      /BEGIN TRANSACTION/,
      /CREATE TABLE/,
      /insert bulk/i,
      /BULK ROWS/,
      /MERGE|UPDATE t|INSERT INTO/,
      /^COMMIT/,
    ];
    for (const [index, on] of statements.entries()) {
      server.faults.clear();
      const armed = server.faults.add({ on, drop: "answered" });
      await session.write(groupsOf([{ id: `${strategy} ${index}`, value: "x" }]));
      assert.equal(armed.hits, 1, String(on));
    }
    assert.equal(rows().length, statements.length, strategy);
  }
});

test("the locks of others are waited for no longer than sinkTimeoutMs, but for a second", async (t) => {
  const { server, session } = await openTarget(t, { sql }, columns, { sinkTimeoutMs: 300 });
  await session.write(groupsOf([row]));
  const pool = await new mssql.ConnectionPool(server.config).connect();
  t.after(() => pool.close());
  const other = pool.transaction();
  await other.begin();
  await other.request().query("UPDATE dbo.t SET value = N'mine'");
  const failure = await failureOf(session.write(groupsOf([row])));
  failsWith("SINK_FAILED", { errorNumbers: [1222] })(failure);
  assert.ok(Number(failure.facts["triedForMs"]) < 30_000);
  await other.rollback();
});

test("an insert in doubt stays in doubt while the connection is down, and is not added twice", async (t) => {
  const { server, session, rows } = await openTarget(t, { sql }, columns, { strategy: "insert" });
  server.faults.add({ on: /^COMMIT/, drop: "after" });
  server.faults.add({ on: /BEGIN TRANSACTION/, nth: 2, drop: "before" });
  await session.write(groupsOf([row]));
  assert.deepEqual(rows(), [row]);
});

test("an insert in doubt that nothing can prove ends the run, and says what to look at", async (t) => {
  const heap = sql.replace(" PRIMARY KEY", "");
  for (const drop of ["before", "after"] as const) {
    const { server, session, rows } = await openTarget(t, { sql: heap }, columns, { strategy: "insert" });
    server.faults.add({ on: /^COMMIT/, drop });
    const inDoubt = failsWith("SINK_FAILED", { where: "dbo.t", isInDoubt: true });
    await assert.rejects(session.write(groupsOf([row])), inDoubt);
    assert.equal(rows().length, drop === "after" ? 1 : 0);
  }
});

test("what the server rejects of the data is a row error with its number and column, and without a value", async (t) => {
  for (const productVersion of ["16.0.4105.2", "14.0.1000.1"]) {
    const { server, session, rows } = await openTarget(t, { sql, facts: wider, productVersion }, columns);
    const secret = "a secret that is longer than the column";
    const rejected = await failureOf(session.write(groupsOf([row, { id: "2", value: secret }])));
    const isNamed = productVersion.startsWith("16");
    const facts = isNamed ? { errorNumber: 2628, where: "value" } : { errorNumber: 8152 };
    failsWith("SINK_DATA_REFUSED", facts)(rejected);
    assert.doesNotMatch(rejected.message, /secret/);
    if (isNamed) assert.match(rejected.detail, /a secret/);
    assert.deepEqual(rows(), [], "a rejected batch leaves nothing");
    await session.write(groupsOf([row]));
    server.table("dbo.t").check("CK_no", ({ value }) => value !== "no");
    const isChecked = failsWith("SINK_DATA_REFUSED", { errorNumber: 547, where: "CK_no" });
    await assert.rejects(session.write(groupsOf([{ id: "3", value: "no" }])), isChecked);
  }
});

test("insert rejects what a unique index has already", async (t) => {
  const { session, rows } = await openTarget(t, { sql }, columns, { strategy: "insert" });
  await session.write(groupsOf([row]));
  const isThere = failsWith("SINK_DATA_REFUSED", { errorNumber: 2627, where: "PK_t" });
  await assert.rejects(session.write(groupsOf([{ id: "2", value: "y" }, row])), isThere);
  assert.deepEqual(rows(), [row]);
});

test("each number of the server's for bad data is a row error", async (t) => {
  const { server, session } = await openTarget(t, { sql }, columns);
  for (const number of [2628, 8152, 515, 547, 2627, 2601, 8114, 8115, 245, 220, 242, 241, 50_000, 3609, 9420]) {
    server.faults.add({ on: /MERGE/, error: { number, message: "with a secret" } });
    const rejected = await failureOf(session.write(groupsOf([row])));
    failsWith("SINK_DATA_REFUSED", { errorNumber: number })(rejected);
    assert.doesNotMatch(rejected.message, /secret/);
  }
});

test("a lasting fault that is not the data's ends the run, with a remedy and without the server's text", async (t) => {
  const { server, session } = await openTarget(t, { sql }, columns);
  server.faults.add({ on: /MERGE/, error: { number: 229, message: "The UPDATE permission was denied on secret" } });
  const failure = await failureOf(session.write(groupsOf([row])));
  failsWith("SINK_FAILED", { errorNumbers: [229], where: "dbo.t" })(failure);
  assert.notEqual(failure.facts.hint, undefined);
  assert.doesNotMatch(failure.message, /secret/);
  assert.match(failure.detail, /secret/);
  server.faults.add({ on: /MERGE/, error: { number: 777 } });
  await assert.rejects(session.write(groupsOf([row])), failsWith("SINK_FAILED", { errorNumbers: [777] }));
});

test("a server that stays away longer than sinkTimeoutMs ends the run, which can be resumed", async (t) => {
  const { server, session } = await openTarget(t, { sql }, columns, { sinkTimeoutMs: 60 });
  server.faults.add({ on: /MERGE/, error: 40_501, times: 1000 });
  await assert.rejects(session.write(groupsOf([row])), failsWith("SINK_FAILED", { errorNumbers: [40_501] }));
  await server.close();
  assert.equal((await failureOf(session.write(groupsOf([row])))).name, "SinkError");
});

test("an abort ends the wait for the next attempt, and a statement that runs", async (t) => {
  for (const fault of [{ error: 40_501, times: 1000 }, { delayMs: 20_000 }]) {
    const controller = new AbortController();
    const reason = new Error("enough");
    const { server, session, rows } = await openTarget(t, { sql }, columns, { signal: controller.signal });
    server.faults.add({ on: /MERGE/, ...fault });
    const writing = session.write(groupsOf([row]));
    setTimeout(() => controller.abort(reason), 50);
    await assert.rejects(writing, reason);
    assert.deepEqual(rows(), []);
  }
});

test("a SELECT over the same table that is being read slowly is not in the way of an update, nor the update in its", async (t) => {
  const { server, session } = await openTarget(t, { sql }, columns, { strategy: "update" });
  const count = 20_000;
  server.table("dbo.t").insert(Array.from({ length: count }, (_, id) => ({ id: `${id}`, value: "old" })));
  const pool = await new mssql.ConnectionPool(server.config).connect();
  t.after(() => pool.close());
  const request = pool.request();
  request.stream = true;
  const reading = request.toReadableStream();
  void request.query("SELECT id, value FROM dbo.t");
  let read = 0;
  for await (const { id } of reading) {
    if (read % 5000 === 0) await session.write(groupsOf([{ id, value: "new" }]));
    read += 1;
  }
  assert.equal(read, count);
});

test("a batch keeps no lock after it, and takes none that a reader waits for but while it writes", async (t) => {
  const { server, session } = await openTarget(t, { sql }, columns);
  server.faults.add({ on: /insert bulk/i, delayMs: 150 });
  const writing = session.write(groupsOf([row]));
  const pool = await new mssql.ConnectionPool(server.config).connect();
  t.after(() => pool.close());
  const { recordset } = await pool.request().query("SET LOCK_TIMEOUT 50; SELECT COUNT(*) AS n FROM dbo.t");
  assert.deepEqual([...recordset], [{ n: 0 }], "while it stages, the target is free");
  await writing;
  await server.run("SET LOCK_TIMEOUT 0; UPDATE dbo.t SET value = N'z'");
});
