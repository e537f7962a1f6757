import assert from "node:assert/strict";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Pipeline, TransformStep } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { SQLServerSink } from "../../src/sinks/sql-server.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import type { SQLServer } from "../support/sql-server.ts";
import { startTargetServer } from "../support/sql-server-target.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();

interface Row {
  readonly pk: string;
  readonly key: string | Uint8Array;
}

/** Runs over the rows, one after the other: how many were written, unchanged and skipped, and whose row the table has. */
async function runOver(
  server: SQLServer,
  name: string,
  rows: readonly Row[],
): Promise<{ counts: readonly number[]; owners: unknown[] }> {
  const report = await new Pipeline({
    name,
    source: new MemorySource<Row>({ rows, primaryKeyColumn: "pk" }),
    llmProvider: new MockProvider(),
    concurrency: 1,
    batchSize: 1,
    onRowError: "skip",
    journalPath: join(folder, `${name}.db`),
    payloadLog: "off",
  })
    .step(new TransformStep({ name: "same", transform: () => 1, outputKey: "same" }))
    .to(
      new SQLServerSink({
        connectionString: server.connectionString,
        targetTable: "dbo.t",
        mergeKeys: ["id"],
        columnMap: { id: (s) => s.raw.key, owner: (s) => s.pk },
      }),
    )
    .run();
  return {
    counts: [report.successCount - report.unchangedCount, report.unchangedCount, report.skippedCount],
    owners: server
      .table("dbo.t")
      .rows()
      .map(({ owner }) => owner),
  };
}

async function serverOf(t: TestContext, type: string): Promise<SQLServer> {
  return await startTargetServer({ sql: `CREATE TABLE dbo.t (id ${type} NOT NULL PRIMARY KEY, owner NVARCHAR(9))` }, t);
}

const pairs = [
  ["NVARCHAR(20) COLLATE Latin1_General_100_CI_AS", "Straße", "Strasse"],
  ["NVARCHAR(20) COLLATE Latin1_General_100_CI_AS", "ss", "ß"],
  ["NVARCHAR(20) COLLATE Latin1_General_100_CI_AS", "key", "KEY"],
  ["DATETIME", "2025-03-01T12:00:05.123", "2025-03-01T12:00:05.124"],
  ["DATETIMEOFFSET(0)", "2025-03-01T12:00:05Z", "2025-03-01T13:00:05+01:00"],
  ["BINARY(3)", Uint8Array.of(1, 2), Uint8Array.of(1, 2, 0)],
] as const;
for (const [index, [type, one, other]] of pairs.entries()) {
  test(`two rows with one merge key do not rewrite each other for ever: ${type}, ${String(one)}`, async (t) => {
    const server = await serverOf(t, type);
    const name = `keys_${index}`;
    const [a, b] = [
      { pk: "a", key: one },
      { pk: "b", key: other },
    ];
    for (const rows of [[a], [b]]) await runOver(server, name, rows);
    for (let turn = 0; turn < 3; turn += 1) {
      const { counts, owners } = await runOver(server, name, [b, a]);
      assert.deepEqual(owners, ["b"]);
      assert.deepEqual(counts, [0, 1, 1], "one row stays as it is, the other is told that it has the same key");
    }
  });
}

test("two rows whose keys the target tells apart are both left alone", async (t) => {
  const server = await serverOf(t, "NVARCHAR(20) COLLATE Latin1_General_100_CS_AS");
  const rows = [
    { pk: "a", key: "Straße" },
    { pk: "b", key: "STRASSE" },
  ];
  assert.deepEqual(await runOver(server, "apart", rows), { counts: [2, 0, 0], owners: ["a", "b"] });
  assert.deepEqual(await runOver(server, "apart", rows), { counts: [0, 2, 0], owners: ["a", "b"] });
});
