import assert from "node:assert/strict";
import { test } from "node:test";
import mssql from "mssql";
import { LLMEtlError } from "../../../src/errors/llm-etl-error.ts";
import { openTarget, type TargetFacts } from "../../support/sql-server-target.ts";
import { groupsOf } from "../../../src/testing/row-groups.ts";

const sql = "CREATE TABLE dbo.t (id NVARCHAR(40) NOT NULL PRIMARY KEY, value NVARCHAR(20) NULL)";
const columns = ["id", "value"];
const keyed = ["merge", "update_insert"] as const;
const row = { id: "1", value: "x" };

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

test("a deadlock, a broken connection and a failover are overcome, whichever statement they hit", async (t) => {
  for (const strategy of [...keyed, "insert"] as const) {
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

test("a refused login while reconnecting is overcome", async (t) => {
  const { server, session, rows } = await openTarget(t, { sql }, columns);
  server.kill();
  server.faults.refuseLogin(40_613, 2);
  await session.write(groupsOf([row]));
  assert.deepEqual(rows(), [row]);
});

test("a commit whose answer is lost is done again: the row is there once", async (t) => {
  for (const strategy of [...keyed, "insert"] as const) {
    for (const drop of ["before", "after"] as const) {
      const { server, session, rows } = await openTarget(t, { sql }, columns, { strategy });
      server.faults.add({ on: /COMMIT/, drop });
      await session.write(groupsOf([row, { id: "2", value: "y" }]));
      assert.deepEqual(rows(), [row, { id: "2", value: "y" }], `${strategy} ${drop}`);
    }
  }
});

test("an insert in doubt stays in doubt while the connection is down, and is not added twice", async (t) => {
  const { server, session, rows } = await openTarget(t, { sql }, columns, { strategy: "insert" });
  server.faults.add({ on: /COMMIT/, drop: "after" });
  server.faults.add({ on: /BEGIN TRANSACTION/, nth: 2, drop: "before" });
  await session.write(groupsOf([row]));
  assert.deepEqual(rows(), [row]);
});

test("an insert in doubt that nothing can prove ends the run, and says what to look at", async (t) => {
  const heap = sql.replace(" PRIMARY KEY", "");
  for (const drop of ["before", "after"] as const) {
    const { server, session, rows } = await openTarget(t, { sql: heap }, columns, { strategy: "insert" });
    server.faults.add({ on: /COMMIT/, drop });
    const failure = await failureOf(session.write(groupsOf([row])));
    assert.equal(failure.name, "SinkError");
    assert.match(
      failure.message,
      /so they may be written or not; \[dbo\]\.\[t\] has no unique index .*: see whether the rows that are pending/,
    );
    assert.equal(rows().length, drop === "after" ? 1 : 0);
  }
});

test("what the server refuses of the data is a row error with its number and column, and without a value", async (t) => {
  for (const productVersion of ["16.0.4105.2", "14.0.1000.1"]) {
    const { server, session, rows } = await openTarget(t, { sql, facts: wider, productVersion }, columns);
    const secret = "a secret that is longer than the column";
    const refused = await failureOf(session.write(groupsOf([row, { id: "2", value: secret }])));
    assert.equal(refused.name, "SinkDataError");
    assert.doesNotMatch(refused.message, /secret/);
    assert.match(
      refused.message,
      productVersion.startsWith("16")
        ? /error 2628, .* \(the column "value"\)$/
        : /error 8152, text or bytes are too long for their column$/,
    );
    if (productVersion.startsWith("16")) assert.match(refused.detail, /a secret/);
    assert.deepEqual(rows(), [], "a refused batch leaves nothing");
    await session.write(groupsOf([row]));
    server.table("dbo.t").check("CK_no", ({ value }) => value !== "no");
    assert.match(
      (await failureOf(session.write(groupsOf([{ id: "3", value: "no" }])))).message,
      /error 547, .* \(the constraint "CK_no"\)$/,
    );
  }
});

test("insert refuses what a unique index has already", async (t) => {
  const { session, rows } = await openTarget(t, { sql }, columns, { strategy: "insert" });
  await session.write(groupsOf([row]));
  const refused = await failureOf(session.write(groupsOf([{ id: "2", value: "y" }, row])));
  assert.match(
    refused.message,
    /error 2627, a row with the same unique key is there already \(the constraint "PK_t"\)$/,
  );
  assert.deepEqual(rows(), [row]);
});

test("each number of the server's for bad data is a row error", async (t) => {
  const { server, session } = await openTarget(t, { sql }, columns);
  for (const number of [2628, 8152, 515, 547, 2627, 2601, 8114, 8115, 245, 220, 242, 241, 50_000, 3609, 9420]) {
    server.faults.add({ on: /MERGE/, error: { number, message: "with a secret" } });
    const refused = await failureOf(session.write(groupsOf([row])));
    assert.equal(refused.name, "SinkDataError", `${number}`);
    assert.match(refused.message, new RegExp(`error ${number}, `));
    assert.doesNotMatch(refused.message, /secret/);
  }
});

test("a lasting fault that is not the data's ends the run, with a remedy and without the server's text", async (t) => {
  const { server, session } = await openTarget(t, { sql }, columns);
  server.faults.add({ on: /MERGE/, error: { number: 229, message: "The UPDATE permission was denied on secret" } });
  const failure = await failureOf(session.write(groupsOf([row])));
  assert.equal(failure.name, "SinkError");
  assert.equal(
    failure.message,
    "sql-server: [dbo].[t] can't be written (error 229): the login lacks a permission on it; a trigger may need one, too",
  );
  assert.match(failure.detail, /secret/);
  server.faults.add({ on: /MERGE/, error: { number: 777 } });
  assert.match((await failureOf(session.write(groupsOf([row])))).message, /can't be written \(error 777\)$/);
});

test("a server that stays away longer than sinkTimeoutMs ends the run, which can be resumed", async (t) => {
  const { server, session } = await openTarget(t, { sql }, columns, { sinkTimeoutMs: 60 });
  server.faults.add({ on: /MERGE/, error: 40_501, times: 1000 });
  const busy = await failureOf(session.write(groupsOf([row])));
  assert.equal(busy.name, "SinkError");
  assert.match(
    busy.message,
    /took no batch for 0 seconds \(error 40501\); what was written is kept; run again to go on from there/,
  );
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

test("check finds what the table can't hold, with the value in the detail only", async (t) => {
  const { session } = await openTarget(
    t,
    { sql: sql.replace("value NVARCHAR(20) NULL", "value DECIMAL(3,2) NOT NULL") },
    columns,
  );
  assert.deepEqual(session.check?.({ id: "1", value: 0.5 }), []);
  assert.deepEqual(session.check?.({ id: "1", value: "secret" }), [
    {
      column: "value",
      message: "the column is DECIMAL(3,2): expected a number, got a text of 6 characters",
      detail: 'the column is DECIMAL(3,2): expected a number, got a text of 6 characters: "secret"',
    },
  ]);
  assert.deepEqual(
    session.check?.({}).map(({ column, message }) => [column, message]),
    [
      ["id", "a merge key can't be NULL: it would find no row"],
      ["value", "the column is NOT NULL, got NULL"],
    ],
  );
});

test("check finds a second row with the very same key, as far as trailing blanks count", async (t) => {
  const { session } = await openTarget(t, { sql }, columns);
  assert.deepEqual(session.check?.({ id: "secret", value: "x".repeat(21) }).length, 1);
  assert.deepEqual(session.check?.({ id: "secret", value: "x" }), [], "a row that was refused has not used up its key");
  assert.deepEqual(session.check?.({ id: "secret ", value: "y" }), [
    {
      column: "id",
      message: "another row of this run has the same merge key",
      detail: 'another row of this run has the same merge key: "secret "',
    },
  ]);
  const inserting = await openTarget(t, { sql }, columns, { strategy: "insert" });
  assert.deepEqual(inserting.session.check?.(row), []);
  assert.deepEqual(inserting.session.check?.(row), [], "without merge keys equal rows are two rows");
});

test("limits say what each column holds, in the words of JSON Schema and of check", async (t) => {
  const wide =
    "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, note NVARCHAR(100), score DECIMAL(3,2) NOT NULL, n TINYINT, big BIGINT, at DATE, long NVARCHAR(MAX))";
  const { session } = await openTarget(t, { sql: wide }, ["id", "note", "score", "n", "big", "at", "long"]);
  const { limits = {} } = session;
  assert.deepEqual(Object.fromEntries(Object.entries(limits).map(([name, { schema }]) => [name, schema])), {
    id: { minimum: -2_147_483_648, maximum: 2_147_483_647 },
    note: { maxLength: 100 },
    score: { minimum: -9.99, maximum: 9.99 },
    n: { minimum: 0, maximum: 255 },
    big: {},
    at: {},
    long: {},
  });
  assert.deepEqual(limits["score"]?.problemOf("secret"), {
    message: "the column is DECIMAL(3,2): expected a number, got a text of 6 characters",
    detail: 'the column is DECIMAL(3,2): expected a number, got a text of 6 characters: "secret"',
  });
  assert.match(limits["score"]?.problemOf(null)?.message ?? "", /NOT NULL/);
  assert.equal(limits["note"]?.problemOf(null), undefined);
  assert.equal(limits["note"]?.problemOf("x".repeat(100)), undefined);
});

test("the key of a row is the same for spellings that the collation takes for equal; rows that are only added have none", async (t) => {
  const { session } = await openTarget(t, { sql }, columns);
  assert.equal(session.keyOf?.({ id: "Key ", value: 1 }), session.keyOf?.({ id: "KEY" }));
  assert.notEqual(session.keyOf?.({ id: "a" }), session.keyOf?.({ id: "b" }));
  const inserting = await openTarget(t, { sql }, columns, { strategy: "insert" });
  assert.equal(inserting.session.keyOf, undefined);
});

test("a value that does not fit is refused also where it was not checked, and nothing is sent", async (t) => {
  const { server, session } = await openTarget(t, { sql }, columns);
  const refused = await failureOf(session.write(groupsOf([row, { id: "2", value: "x".repeat(21) }])));
  assert.equal(
    refused.message,
    'sql-server: the column "value": the column is NVARCHAR(20): expected at most 20 characters, got 21',
  );
  assert.equal(server.roundTrips(), 0);
});

test("the session knows whether the table is empty, and whether it has a row's key", async (t) => {
  const { session } = await openTarget(t, { sql }, columns);
  assert.equal(await session.isEmpty?.(), true);
  assert.equal(await session.holds?.(row), false);
  await session.write(groupsOf([{ id: "a'; DROP TABLE dbo.t; --", value: null }]));
  assert.equal(await session.isEmpty?.(), false);
  assert.equal(await session.holds?.({ id: "A'; drop table dbo.t; --", value: "whatever" }), true);
  assert.equal(await session.holds?.({ id: "b" }), false);
  assert.equal(await session.holds?.({ id: null }), false);
  const inserting = await openTarget(t, { sql }, columns, { strategy: "insert" });
  assert.equal(await inserting.session.holds?.(row), false);
  await inserting.session.write(groupsOf([row]));
  assert.equal(await inserting.session.holds?.({ id: "other" }), true, "without keys any row will do");
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

test("a closed session writes nothing, and can be closed again", async (t) => {
  const { session } = await openTarget(t, { sql }, columns);
  await session.close("completed");
  await session.close("completed");
  await session.write([]);
  assert.match(
    (await failureOf(session.write(groupsOf([row])))).message,
    /the sink is closed: nothing can be written to it any more/,
  );
});
