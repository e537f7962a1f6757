import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import mssql from "mssql";
import { SourceError } from "../../../src/errors/source.ts";
import { SQLServerConnection } from "../../../src/sql-server/connect/connection.ts";
import { type ReadOptions, ReadSession } from "../../../src/sql-server/read/read-session.ts";
import { type SQLServer, startSQLServer } from "../../support/sql-server.ts";
import { failsWith } from "../../support/error-facts.ts";

const sql =
  "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, b VARBINARY(8) NULL); INSERT INTO dbo.t VALUES (1, 0x01), (2, 0x02), (3, 0x03)";
const text = "SELECT id FROM dbo.t ORDER BY id";
const page = "SELECT TOP (@page_size) id, b FROM dbo.t WHERE (@after IS NULL OR id > @after) ORDER BY id";

function sessionOf(
  t: TestContext,
  server: SQLServer,
  options: Partial<ReadOptions> = {},
  pool?: mssql.ConnectionPool,
): ReadSession {
  const { connectionString } = server;
  const connection = new SQLServerConnection("SQLServerSource", pool === undefined ? { connectionString } : { pool });
  t.after(() => connection.close());
  return new ReadSession({
    connection,
    signal: new AbortController().signal,
    fail: (problem, rest) => new SourceError("sql-server", problem, rest),
    where: "the sql",
    text,
    parameters: [],
    required: {},
    maxWaitMs: 60_000,
    sleep: () => Promise.resolve(),
    ...options,
  });
}

/** Requests have a second: a statement that is held up by a fault runs into that. */
async function hurriedPool(t: TestContext, server: SQLServer): Promise<mssql.ConnectionPool> {
  const pool = await new mssql.ConnectionPool({ ...server.config, requestTimeout: 1000 }).connect();
  t.after(() => pool.close());
  return pool;
}

const idsOf = async (rows: AsyncIterable<Readonly<Record<string, unknown>>>) =>
  (await Array.fromAsync(rows)).map(({ id }) => id);

test("a statement that gets no answer in its time is tried once more, and then reported", async (t) => {
  const server = await startSQLServer({ sql }, t);
  const pool = await hurriedPool(t, server);
  server.faults.add({ on: /^SELECT id/, delayMs: 60_000 });
  assert.deepEqual(await idsOf(sessionOf(t, server, {}, pool).readAll()), [1, 2, 3]);
  server.faults.add({ on: /^SELECT id/, delayMs: 60_000, times: 2 });
  await assert.rejects(idsOf(sessionOf(t, server, {}, pool).readAll()), (error) => {
    assert.ok(error instanceof SourceError && error.facts.where === "the sql");
    assert.match(error.facts.hint ?? "", /Command Timeout/);
    return true;
  });
});

test("a server that is away for longer than is waited for ends a reading in pages, after the rows that came", async (t) => {
  const server = await startSQLServer({ sql }, t);
  const session = sessionOf(t, server, { text: page, maxWaitMs: 0 });
  const ids: unknown[] = [];
  const reading = async () => {
    for await (const row of session.readPages({ keyColumn: "id", pageSize: 1 })) {
      ids.push(row["id"]);
      if (ids.length === 2) await server.close();
    }
  };
  await assert.rejects(
    reading(),
    /the sql failed after row 2: the connection to SQL Server at 127\.0\.0\.1,\d+ broke \(E/,
  );
  assert.deepEqual(ids, [1, 2]);
});

test("a description that fails for the server's load is not taken for a parameter of a wrong type", async (t) => {
  const server = await startSQLServer({ sql }, t);
  server.faults.add({ on: /^sp_describe/, error: 1205 });
  const session = sessionOf(t, server, { text: page, maxWaitMs: 0 });
  await assert.rejects(idsOf(session.readPages({ keyColumn: "id", pageSize: 2 })), /the sql failed: error 1205/);
  assert.equal(server.statements.length, 1);
});

test("where a text does not compare with the key, the description takes another type, and pages take the key's own", async (t) => {
  const server = await startSQLServer({ sql }, t);
  server.faults.add({ on: /^sp_describe/, error: 402 }); // The data types varbinary and nvarchar are incompatible in the greater than operator.
  const byBytes = page.replaceAll("id >", "b >").replace("ORDER BY id", "ORDER BY b");
  const session = sessionOf(t, server, { text: byBytes });
  assert.deepEqual(await idsOf(session.readPages({ keyColumn: "b", pageSize: 2 })), [1, 2, 3]);
  const described = server.statements.filter(({ text: each }) => each.startsWith("sp_describe"));
  assert.deepEqual(
    described.map(({ parameters }) => parameters["params"]),
    ["nvarchar(4000)", "sql_variant", "varbinary(8)"].map((type) => `@after ${type}, @page_size int`),
  );
});

test("a value that a handler of the driver changes is rejected by its column", async (t) => {
  const server = await startSQLServer({ sql }, t);
  const handlers: unknown = Reflect.get(mssql, "valueHandler"); // the driver's types don't have it
  assert.ok(handlers instanceof Map);
  handlers.set(mssql.TYPES.Int, (value: unknown) => `<${String(value)}>`);
  t.after(() => handlers.clear());
  await assert.rejects(idsOf(sessionOf(t, server).readAll()), failsWith("SOURCE_FAILED", { column: "id" }));
});

test("the session does not read when nobody asks, and can be stopped before its first row", async (t) => {
  const server = await startSQLServer({ sql }, t);
  const rows = sessionOf(t, server).readAll();
  await rows.return();
  assert.equal(server.logins.length, 0);
});
