import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { pathToFileURL } from "node:url";
import mssql from "mssql";
import { SQLServerJournal } from "../../src/journals/sql-server.ts";
import { holdConnection, type HeldConnection } from "../../src/sql-server/connect/held-connection.ts";
import { SQLServerConnection } from "../../src/sql-server/connect/connection.ts";
import { quoteTableName } from "../../src/sql-server/identifiers.ts";
import { journalContract } from "../../src/testing/journal-contract.ts";
import { badRow, runFacts, runRecord } from "../../src/testing/journal-samples.ts";
import { createJournal, noServer, realServer } from "../support/real-sql-server.ts";

// Not run here on a real server, for none could be reached: only against the test server, which learned for it what Microsoft documents of
// sp_getapplock and OPENJSON.

const module = pathToFileURL(join(import.meta.dirname, "../../src/journals/sql-server.ts")).href;

suite("a journal on a real server", { skip: noServer }, () => {
  const server = realServer();
  const quoted = (table: string): string => quoteTableName({ schema: server.schema, table });
  let tables: readonly string[];
  let journal: SQLServerJournal;

  before(async () => {
    tables = await createJournal(server);
    journal = new SQLServerJournal({ schema: server.schema });
  });

  const contract = journalContract({
    create: async () => {
      for (const table of tables) await server.run(`DELETE FROM ${table}`);
      const moduleText = `import { SQLServerJournal } from ${JSON.stringify(module)};
        export default new SQLServerJournal({ schema: ${JSON.stringify(server.schema)} });`;
      return { journal, moduleText };
    },
  });
  for (const { name, check } of contract) test(name, check);

  test("people find runs, failed rows and figures of steps in views", async () => {
    const session = await journal.open(runFacts("run-1"), new AbortController().signal);
    await session.runs.save(runRecord("run-1"));
    await session.rows.saveFailed("sink", [badRow(7)]);
    await session.close();
    const started_at = new Date("2026-01-02T03:04:05.006Z");
    const run = { status: "completed", started_at, read_count: "3", cost: 0.25, currency: "USD" };
    const where = "WHERE run_id = N'run-1'";
    assert.deepEqual(
      await server.run(`SELECT status, started_at, read_count, cost, currency FROM ${quoted("runs")} ${where}`),
      [run],
    );
    const failed = await server.run(
      `SELECT pipeline, pk, error_code FROM ${quoted("failed_rows")} ${where} AND pk = N'7'`,
    );
    assert.deepEqual(failed, [{ pipeline: "visits", pk: "7", error_code: "REFUSAL" }]);
    const steps = await server.run(`SELECT step, calls, p95_ms FROM ${quoted("step_figures")} ${where}`);
    assert.deepEqual(steps, [{ step: "kind", calls: "7", p95_ms: 340 }]);
  });

  suite("locks of sessions", () => {
    const connection = new SQLServerConnection("test:sql-server", {});
    const resource = `${server.schema}:é`;
    const held: HeldConnection[] = [];

    after(async () => {
      for (const each of held) each.end();
      await connection.close();
    });

    async function hold(): Promise<HeldConnection> {
      const { signal } = new AbortController();
      const { pool } = await connection.open({ signal, fail: (problem) => new Error(problem) });
      const one = await holdConnection(pool, signal);
      held.push(one);
      return one;
    }

    async function lock(by: HeldConnection, mode: string, name = resource): Promise<number> {
      const request = by.request().input("Resource", name).input("LockMode", mode).input("LockOwner", "Session");
      return Number((await request.input("LockTimeout", 0).execute("sp_getapplock")).returnValue);
    }

    async function unlock(by: HeldConnection): Promise<number> {
      const request = by.request().input("Resource", resource).input("LockOwner", "Session");
      return Number((await request.execute("sp_releaseapplock")).returnValue);
    }

    async function isFree(by: HeldConnection, mode: string): Promise<unknown> {
      const request = by.request().input("resource", mssql.NVarChar(255), resource);
      const sql = `SELECT APPLOCK_TEST('public', @resource, '${mode}', 'Session') AS is_free`;
      return (await request.query<{ is_free: number }>(sql)).recordset[0]?.is_free;
    }

    test("an exclusive lock is one session's, whose end frees it; its name is compared letter by letter", async () => {
      const [one, other] = [await hold(), await hold()];
      assert.equal(await lock(one, "Exclusive"), 0);
      assert.deepEqual([await lock(other, "Exclusive"), await lock(other, "Shared")], [-1, -1]);
      assert.deepEqual([await isFree(other, "Shared"), await isFree(one, "Exclusive")], [0, 1]);
      assert.equal(await lock(other, "Exclusive", resource.toUpperCase()), 0);
      one.end();
      while ((await lock(other, "Exclusive")) !== 0);
      assert.equal(await unlock(other), 0);
    });

    test("a shared lock is shared; a session that asks for more keeps it until its last release", async () => {
      const [one, other] = [await hold(), await hold()];
      assert.deepEqual([await lock(one, "Shared"), await lock(other, "Shared")], [0, 0]);
      assert.equal(await isFree(one, "Exclusive"), 0);
      assert.equal(await unlock(other), 0);
      assert.equal(await lock(one, "Exclusive"), 0);
      assert.equal(await unlock(one), 0);
      assert.equal(await lock(other, "Shared"), -1);
      assert.equal(await unlock(one), 0);
      assert.equal(await lock(other, "Shared"), 0);
      assert.equal(await unlock(other), 0);
      await assert.rejects(unlock(other), { number: 1223 });
    });
  });
});
