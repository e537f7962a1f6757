import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import pg from "pg";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";
import { startPostgreSQL } from "../support/postgresql/server.ts";

test("the server of the tests", { skip: noPostgreSQL }, async (context) => {
  const database = testDatabase();

  await context.test("has a database for this file", async () => {
    const rows = await database.run("SELECT current_database() AS name, $1::int AS given", [7]);
    assert.deepEqual(rows, [{ name: database.name, given: 7 }]);
  });
});

test("a server of a test's own", { skip: noPostgreSQL }, async (context) => {
  await context.test("keeps what was committed, whether it is stopped or crashes", async () => {
    const server = await startPostgreSQL();
    try {
      await run(server.url(), "CREATE TABLE t (a int); INSERT INTO t VALUES (1)");
      await server.stop("kill");
      await assert.rejects(run(server.url(), "SELECT 1"), { code: "ECONNREFUSED" });
      await server.start();
      await run(server.url(), "INSERT INTO t VALUES (2)");
      await server.stop();
      await server.start();
      assert.deepEqual(await run(server.url(), "SELECT a FROM t ORDER BY a"), [{ a: 1 }, { a: 2 }]);
    } finally {
      await server.remove();
    }
    await assert.rejects(run(server.url(), "SELECT 1"), { code: "ECONNREFUSED" });
  });

  await context.test("is gone with its files when the process that started it is killed", async () => {
    const script = `
      import { startPostgreSQL } from ${JSON.stringify(new URL("../support/postgresql/server.ts", import.meta.url).href)};
      console.log((await startPostgreSQL()).url());
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [url] = (await once(createInterface(child.stdout), "line")) as [string]; // the line that the script prints
    const [{ folder }] = (await run(url, "SELECT current_setting('data_directory') AS folder")) as [{ folder: string }]; // one row
    child.kill("SIGKILL");
    while (existsSync(folder)) await new Promise((resolve) => setTimeout(resolve, 20));
    await assert.rejects(run(url, "SELECT 1"), { code: "ECONNREFUSED" });
  });
});

async function run(url: string, sql: string): Promise<readonly unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const result = await client.query(sql);
    return result.rows ?? [];
  } finally {
    await client.end();
  }
}
