import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import mssql, { type ConnectionPool } from "mssql";
import { inTransaction, type Run } from "../../../src/sql-server/connect/transaction.ts";
import { passingError } from "../../../src/sql-server/error-meaning.ts";
import { CommitInDoubtError } from "../../../src/table/dialect.ts";
import { type SQLServer, startSQLServer } from "../../support/sql-server.ts";

const noAbort = new AbortController().signal;

async function connect(
  t: TestContext,
  max = 1,
): Promise<{ readonly server: SQLServer; readonly pool: ConnectionPool }> {
  const server = await startSQLServer({ sql: "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY)" }, t);
  const pool = new mssql.ConnectionPool({
    ...server.config,
    pool: { max },
    validateConnection: "socket",
  });
  pool.on("error", () => {});
  await pool.connect();
  t.after(() => pool.close());
  return { server, pool };
}

/** Adds a row, and commits or not. */
function adding(id: number, commit = true): (run: Run) => Promise<readonly [number, boolean]> {
  return async (run) => {
    await run((request) => request.query(`SET XACT_ABORT ON; INSERT INTO dbo.t (id) VALUES (${id})`));
    return [id, commit];
  };
}

test("what is done in a transaction is committed, or rolled back, as the work says", async (t) => {
  const { server, pool } = await connect(t);
  assert.equal(await inTransaction(pool, noAbort, adding(1)), 1);
  assert.equal(await inTransaction(pool, noAbort, adding(2, false)), 2);
  assert.deepEqual(server.table("dbo.t").rows(), [{ id: 1 }]);
});

test("an error of the work rolls back, and the connection can be used again", async (t) => {
  const { server, pool } = await connect(t);
  const failure = new Error("mine");
  await assert.rejects(
    inTransaction(pool, noAbort, async (run) => {
      await adding(1)(run);
      throw failure;
    }),
    failure,
  );
  await inTransaction(pool, noAbort, adding(2));
  assert.deepEqual(server.table("dbo.t").rows(), [{ id: 2 }]);
});

test("a transaction that the server has rolled back gives the server's error", async (t) => {
  const { server, pool } = await connect(t);
  await inTransaction(pool, noAbort, adding(1));
  await assert.rejects(inTransaction(pool, noAbort, adding(1)), { number: 2627 });
  await inTransaction(pool, noAbort, adding(2));
  assert.equal(server.table("dbo.t").rows().length, 2);
});

test("a connection that breaks in a statement is a passing failure, and the next transaction gets a new one", async (t) => {
  const { server, pool } = await connect(t);
  server.faults.add({ on: /INSERT/, drop: "before" });
  await assert.rejects(inTransaction(pool, noAbort, adding(1)), (error) => passingError(error) !== undefined);
  await inTransaction(pool, noAbort, adding(1));
  assert.equal(server.table("dbo.t").rows().length, 1);
});

test("a commit whose answer is lost is in doubt, whether it was carried out or not", async (t) => {
  for (const drop of ["before", "after"] as const) {
    const { server, pool } = await connect(t);
    server.faults.add({ on: /^COMMIT/, drop });
    await assert.rejects(
      inTransaction(pool, noAbort, adding(1)),
      (error) => error instanceof CommitInDoubtError && passingError(error) !== undefined,
    );
    assert.equal(server.table("dbo.t").rows().length, drop === "after" ? 1 : 0);
  }
});

test("a commit that the server answers with a rollback is a failure of the transaction, and of nothing else", async (t) => {
  const { server, pool } = await connect(t);
  server.faults.add({ on: /^COMMIT/, error: 1205 });
  await assert.rejects(
    inTransaction(pool, noAbort, adding(1)),
    (error) => error instanceof CommitInDoubtError && passingError(error) !== undefined,
  );
  assert.deepEqual(server.table("dbo.t").rows(), []);
  await inTransaction(pool, noAbort, adding(1));
  assert.deepEqual(server.table("dbo.t").rows(), [{ id: 1 }]);
});

test("an abort cancels the statement that runs, with its own reason", async (t) => {
  const { server, pool } = await connect(t);
  const controller = new AbortController();
  const reason = new Error("enough");
  server.faults.add({ on: /INSERT/, delayMs: 20_000 });
  const ending = inTransaction(pool, controller.signal, adding(1));
  setTimeout(() => controller.abort(reason), 50);
  await assert.rejects(ending, reason);
  server.faults.clear();
  await inTransaction(pool, noAbort, adding(2));
  assert.deepEqual(server.table("dbo.t").rows(), [{ id: 2 }]);
});

test("an abort ends the wait for a connection, which is given back when it comes", async (t) => {
  const { server, pool } = await connect(t);
  const free = Promise.withResolvers<void>();
  const holding = inTransaction(pool, noAbort, async (run) => {
    await free.promise;
    return await adding(1)(run);
  });
  const controller = new AbortController();
  const reason = new Error("enough");
  const waiting = inTransaction(pool, controller.signal, adding(2));
  setTimeout(() => controller.abort(reason), 20);
  await assert.rejects(waiting, reason);
  free.resolve();
  await holding;
  await inTransaction(pool, noAbort, adding(3));
  assert.deepEqual(server.table("dbo.t").rows(), [{ id: 1 }, { id: 3 }]);
});

test("what goes with the beginning takes no round trip of its own, and its result is given to the work", async (t) => {
  const { server, pool } = await connect(t);
  server.forget();
  const depths = await inTransaction(
    pool,
    noAbort,
    async (_run, { recordset }) => [recordset.map(({ depth }) => depth), true],
    { first: "INSERT INTO dbo.t (id) VALUES (1); SELECT @@TRANCOUNT AS depth" },
  );
  assert.deepEqual([depths, server.roundTrips()], [[1], 2]);
  assert.equal(server.table("dbo.t").rows().length, 1);
});

test("a beginning that fails leaves no transaction, and gives the server's own error", async (t) => {
  const { server, pool } = await connect(t);
  await inTransaction(pool, noAbort, adding(1));
  const never = async (): Promise<readonly [undefined, boolean]> => assert.fail("it has not begun");
  const first = "INSERT INTO dbo.t (id) VALUES (2); INSERT INTO dbo.t (id) VALUES (1)";
  await assert.rejects(inTransaction(pool, noAbort, never, { first }), { number: 2627 });
  for (const error of [1205, 1222]) {
    server.faults.add({ on: /^BEGIN/, error });
    await assert.rejects(inTransaction(pool, noAbort, never), { number: error });
  }
  assert.deepEqual(server.table("dbo.t").rows(), [{ id: 1 }]);
  const { recordset } = await pool.request().query<{ depth: number }>("SELECT @@TRANCOUNT AS depth");
  assert.equal(recordset[0]?.depth, 0);
});

test("a user's own transactions on the same connection begin as ever, and ours has the usual isolation", async (t) => {
  const { server, pool } = await connect(t);
  for (const id of [1, 3]) {
    const own = pool.transaction();
    await own.begin(mssql.ISOLATION_LEVEL.SERIALIZABLE);
    await own.request().query(`INSERT INTO dbo.t (id) VALUES (${id})`);
    await own.commit();
    await inTransaction(pool, noAbort, adding(id + 1));
  }
  assert.equal(server.table("dbo.t").rows().length, 4);
  const begun = server.statements.filter(({ text }) => text.includes("BEGIN TRANSACTION")).map(({ kind }) => kind);
  assert.deepEqual(begun, ["transaction", "batch", "transaction", "batch"]);
  assert.ok(server.statements.some(({ text }) => /ISOLATION LEVEL READ COMMITTED;\s*BEGIN/.test(text)));
});

test("an abort ends a beginning that the server does not answer", async (t) => {
  const { server, pool } = await connect(t);
  const controller = new AbortController();
  const reason = new Error("enough");
  server.faults.add({ on: /^BEGIN/, delayMs: 20_000 });
  const ending = inTransaction(pool, controller.signal, adding(1));
  setTimeout(() => controller.abort(reason), 50);
  await assert.rejects(ending, reason);
  server.faults.clear(); // on a busy machine nothing was sent yet
  await inTransaction(pool, noAbort, adding(2));
  assert.deepEqual(server.table("dbo.t").rows(), [{ id: 2 }]);
});

test("nothing is begun once the signal is aborted", async (t) => {
  const { server, pool } = await connect(t);
  server.forget();
  await assert.rejects(inTransaction(pool, AbortSignal.abort(), adding(1)), { name: "AbortError" });
  assert.equal(server.roundTrips(), 0);
});

test("a connection that does not come is waited for as long as said, and given back when it comes late", async (t) => {
  const { server, pool } = await connect(t);
  const free = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const holding = inTransaction(pool, noAbort, async (run) => {
    held.resolve();
    await free.promise;
    return await adding(1)(run);
  });
  await held.promise;
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const waiting = inTransaction(pool, noAbort, adding(2), { waitMs: 5000 });
  t.mock.timers.tick(5000);
  t.mock.timers.reset();
  await assert.rejects(waiting, (error) => {
    assert.equal(passingError(error)?.waitedMs, 5000);
    return true;
  });
  free.resolve();
  await holding;
  await inTransaction(pool, noAbort, adding(3));
  assert.deepEqual(server.table("dbo.t").rows(), [{ id: 1 }, { id: 3 }]);
});
