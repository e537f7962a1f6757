import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import mssql from "mssql";
import type { LockConnection } from "../../../src/journal-tables/database.ts";
import { openLockConnection } from "../../../src/sql-server/journal/lock-connection.ts";
import { type SQLServer, startSQLServer } from "../../support/sql-server.ts";

interface Opened {
  readonly server: SQLServer;
  readonly open: (signal?: AbortSignal) => Promise<LockConnection>;
}

async function start(t: TestContext): Promise<Opened> {
  const server = await startSQLServer({}, t);
  const pool = new mssql.ConnectionPool({ ...server.config, validateConnection: "socket" });
  pool.on("error", () => {});
  await pool.connect();
  t.after(() => pool.close());
  const nested = (): Error => new Error("nested");
  return {
    server,
    open: async (signal = new AbortController().signal) => await openLockConnection(mssql, pool, signal, nested),
  };
}

test("a run that was stopped keeps its lock until it is done", async (t) => {
  const { open } = await start(t);
  const controller = new AbortController();
  const [one, other] = [await open(controller.signal), await open()];
  assert.equal(await one.tryToLock("a", "alone"), true);
  controller.abort();
  await one.prove();
  assert.equal(await other.tryToLock("a", "alone"), false);
  await one.end();
  assert.equal(await other.tryToLock("a", "alone"), true);
  await other.end();
});

test("a lock is free as soon as its connection has ended, and one of many workers as long as one has it", async (t) => {
  const { server, open } = await start(t);
  const [one, other, third] = [await open(), await open(), await open()];
  for (const each of [one, other]) assert.equal(await each.tryToLock("a", "shared"), true);
  await one.end();
  assert.equal(await third.tryToLock("a", "alone"), false);
  await other.unlock("a", "shared");
  assert.equal(await third.tryToLock("a", "alone"), true);
  await Promise.all([other.end(), third.end()]);
  await third.end(); // again is harmless
  while (server.connections() > 0) await new Promise((resolve) => setImmediate(resolve));
});

test("a connection that breaks says so, and is not waited for at its end", async (t) => {
  const { server, open } = await start(t);
  const one = await open();
  await one.tryToLock("a", "alone");
  const gone = Promise.withResolvers<void>();
  one.onceGone(gone.resolve);
  server.kill();
  await gone.promise;
  await assert.rejects(one.prove());
  await one.end();
});
