// Full lane: 100,000 rows over the wire take four seconds of CPU.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SQLServerSource } from "../../src/sources/sql-server.ts";
import { startSQLServer } from "../support/sql-server.ts";

test("100,000 rows come while they are made, and the server waits for a consumer that pauses", async (t) => {
  const server = await startSQLServer(
    { sql: "CREATE TABLE dbo.t (id INT NOT NULL PRIMARY KEY, note NVARCHAR(400) NULL)" },
    t,
  );
  const note = "x".repeat(400);
  server.table("dbo.t").generate(function* () {
    for (let id = 1; id <= 100_000; id += 1) yield { id, note };
  });
  const { connectionString } = server;
  const source = new SQLServerSource<{ id: number }>({
    connectionString,
    sql: "SELECT * FROM dbo.t",
    primaryKeyColumn: "id",
  });
  let count = 0;
  for await (const { position } of source.read({ signal: new AbortController().signal, parameters: {} })) {
    count += 1;
    assert.equal(position, count);
    if (count !== 1000) continue;
    // What lies between the two is filled first, however long that takes; then no more is made.
    for (let made = -1; made < server.rowsMade();) {
      made = server.rowsMade();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(server.rowsMade() < 50_000, `${server.rowsMade()} rows were made for 1,000`);
  }
  assert.equal(count, 100_000);
});
