import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import mssql from "mssql";
import { type OpenConnection, SQLServerConnection } from "../../../src/sql-server/connect/connection.ts";
import { describeQuery, streamRows } from "../../../src/sql-server/read/row-stream.ts";
import { type SQLServer, startSQLServer } from "../../support/sql-server.ts";
import { sourceFail as fail } from "../../support/sql-server-errors.ts";

const table = "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, note NVARCHAR(400) NULL)";

async function opened(t: TestContext, sql = table): Promise<{ server: SQLServer; open: OpenConnection }> {
  const server = await startSQLServer({ sql }, t);
  const pool = await new mssql.ConnectionPool({ ...server.config, pool: { max: 1 } }).connect();
  t.after(() => pool.close());
  return { server, open: { driver: mssql, pool } };
}

/** A table without an end: to drain it would take for ever. */
function endless(server: SQLServer): void {
  const note = "x".repeat(400);
  server.table("dbo.t").generate(function* () {
    for (let id = 1; ; id += 1) yield { id, note };
  });
}

const options = (signal: AbortSignal = new AbortController().signal) => ({
  signal,
  onSecondResult: () => new Error("a second result"),
});

async function canBeUsed({ pool }: OpenConnection): Promise<void> {
  const { recordset } = await pool.request().query("SELECT 1 AS one");
  assert.deepEqual(recordset[0], { one: 1 });
}

test("rows come as arrays in order, parameters go by name, and the connection is free at the end", async (t) => {
  const { server, open } = await opened(t);
  server.table("dbo.t").insert([1, 2, 3].map((id) => ({ id })));
  const parameters = [{ name: "from", declaration: "int", sentAs: "int", value: 2 }];
  const rows = await Array.fromAsync(
    streamRows(open, { text: "SELECT id, note, id FROM dbo.t WHERE id >= @from ORDER BY id", parameters }, options()),
  );
  assert.deepEqual(rows, [
    [2, null, 2],
    [3, null, 3],
  ]);
  await canBeUsed(open);
});

test("nothing is sent before the first row is asked for", async (t) => {
  const { server, open } = await opened(t);
  const rows = streamRows(open, { text: "SELECT id FROM dbo.t", parameters: [] }, options());
  await setImmediate();
  assert.equal(server.roundTrips(), 0);
  await rows.return();
  assert.equal(server.roundTrips(), 0);
});

for (const pauseMs of [0, 200]) {
  test(`a consumer that stops, after a pause of ${pauseMs} ms, frees the connection without draining it`, async (t) => {
    const { server, open } = await opened(t);
    endless(server);
    const rows = streamRows(open, { text: "SELECT id, note FROM dbo.t", parameters: [] }, options());
    assert.deepEqual((await rows.next()).value?.[0], 1);
    await new Promise((resolve) => setTimeout(resolve, pauseMs)); // time enough for every buffer on the way to be full
    await rows.return();
    await canBeUsed(open);
  });

  test(`an abort, after a pause of ${pauseMs} ms, ends the rows with its reason and frees the connection`, async (t) => {
    const { server, open } = await opened(t);
    endless(server);
    const controller = new AbortController();
    const rows = streamRows(open, { text: "SELECT id, note FROM dbo.t", parameters: [] }, options(controller.signal));
    await rows.next();
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(Array.fromAsync(rows), reason);
    await canBeUsed(open);
  });
}

test("a reason that is no error is kept as the cause", async (t) => {
  const { server, open } = await opened(t);
  endless(server);
  const controller = new AbortController();
  const rows = streamRows(open, { text: "SELECT id, note FROM dbo.t", parameters: [] }, options(controller.signal));
  await rows.next();
  controller.abort("enough");
  await assert.rejects(Array.fromAsync(rows), { message: "aborted", cause: "enough" });
});

test("a second result set ends the rows with the error for it", async (t) => {
  const { server, open } = await opened(t);
  server.table("dbo.t").insert([{ id: 1 }]);
  const rows = streamRows(open, { text: "SELECT id FROM dbo.t; SELECT note FROM dbo.t", parameters: [] }, options());
  await assert.rejects(Array.fromAsync(rows), /a second result/);
  await canBeUsed(open);
});

test("what the server says is thrown as the driver's error, with its number", async (t) => {
  const { open } = await opened(t);
  const rows = streamRows(open, { text: "SELECT id FROM dbo.nowhere", parameters: [] }, options());
  await assert.rejects(rows.next(), { name: "RequestError", number: 208 });
  await canBeUsed(open);
});

test("a query is described with the types of its parameters, and not run", async (t) => {
  const { server, open } = await opened(t);
  const described = await describeQuery(open, "SELECT id, @p AS p FROM dbo.t", "@p decimal(9,2)", options().signal);
  assert.deepEqual(
    described.map((column) => [column["name"], column["system_type_name"], column["precision"], column["scale"]]),
    [
      ["id", "int", 10, 0],
      ["p", "decimal(9,2)", 9, 2],
    ],
  );
  assert.ok(!server.statements.some(({ text }) => text.startsWith("SELECT id")));
});

test("an abort ends the wait for a description, and frees the connection", async (t) => {
  const { server, open } = await opened(t);
  server.faults.add({ on: /^sp_describe/, delayMs: 60_000 });
  const controller = new AbortController();
  const described = describeQuery(open, "SELECT id FROM dbo.t", "", controller.signal);
  setTimeout(() => controller.abort(new Error("enough")), 50);
  await assert.rejects(described, /enough/);
  await canBeUsed(open);
});

const closings = ["of ours", "of the user's"] as const;
for (const whose of closings) {
  test(`a connection that closes while its answer waits to be read ends the rows with an error, in a pool ${whose}`, async (t) => {
    const server = await startSQLServer({ sql: table }, t);
    server.table("dbo.t").insert(Array.from({ length: 300 }, (_, id) => ({ id, note: "x" })));
    const { connectionString, config } = server;
    const pool = new mssql.ConnectionPool(config);
    t.after(() => pool.close());
    const connection = new SQLServerConnection(
      "SQLServerSource",
      whose === "of ours" ? { connectionString } : { pool },
    );
    t.after(connection.close);
    const open = await connection.open({ signal: options().signal, fail });
    server.faults.add({ on: /FROM dbo/, drop: "answered" });
    const rows = streamRows(open, { text: "SELECT id, note FROM dbo.t", parameters: [] }, options());
    assert.equal((await rows.next()).value?.[0], 0);
    while (server.connections() > 0) await setImmediate();
    await assert.rejects(Array.fromAsync(rows), { name: "RequestError" });
    await canBeUsed(open);
  });
}

test("an answer and the end of its connection may come at once, whatever was asked", async (t) => {
  const { server, open } = await opened(t);
  for (let turn = 0; turn < 20; turn += 1) {
    server.faults.add({ on: /FROM dbo/, drop: "answered" });
    await Promise.allSettled([open.pool.request().query("SELECT id FROM dbo.t")]);
  }
  await canBeUsed(open);
});
