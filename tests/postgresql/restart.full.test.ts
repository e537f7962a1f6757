import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { z } from "zod";
import { Pipeline, TransformStep } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { PostgreSQLSink } from "../../src/sinks/postgresql.ts";
import { PostgreSQLSource } from "../../src/sources/postgresql.ts";
import { noPostgreSQL } from "../support/postgresql/database.ts";
import { startPostgreSQL } from "../support/postgresql/server.ts";

const Row = z.object({ id: z.bigint(), note: z.string(), at: z.string(), share: z.string() });

test("a server that crashes twice costs a run no row", { skip: noPostgreSQL }, async () => {
  const server = await startPostgreSQL();
  const connectionString = server.url();
  const ask = async (sql: string): Promise<readonly object[]> => {
    const client = new pg.Client({ connectionString });
    await client.connect();
    try {
      return (await client.query<object>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  try {
    await ask(`CREATE TABLE a AS SELECT n::bigint AS id, 'note ' || n AS note, now() AS at, n / 7.0 AS share FROM generate_series(1, 4000) n;
      CREATE TABLE b (LIKE a, PRIMARY KEY (id))`);
    let done = 0;
    let crashes: Promise<void> = Promise.resolve();
    const crash = async (): Promise<void> => {
      await server.stop("kill");
      await server.start();
    };
    const report = await new Pipeline({
      name: "crashes",
      source: new PostgreSQLSource({
        sql: "SELECT * FROM a",
        primaryKeyColumn: "id",
        schema: Row,
        connectionString,
        pageSize: 250,
      }),
      llmProvider: new MockProvider(),
      journal: "off",
      payloadLog: "off",
      batchSize: 100,
    })
      .step(
        new TransformStep({
          name: "crashes",
          outputKey: "out",
          transform: async () => {
            done += 1;
            if (done === 1200 || done === 2700) crashes = crashes.then(crash);
            if (done % 500 === 0) await crashes;
            return 1;
          },
        }),
      )
      .to(
        new PostgreSQLSink({
          connectionString,
          targetTable: "b",
          mergeKeys: ["id"],
          columnMap: { id: (s) => s.raw.id, note: (s) => s.raw.note, at: (s) => s.raw.at, share: (s) => s.raw.share },
        }),
      )
      .run();
    assert.deepEqual([report.status, report.successCount, report.failureCount], ["completed", 4000, 0]);
    const same = "SELECT count(*)::int AS rows FROM a JOIN b USING (id, note, at, share)";
    assert.deepEqual(await ask(same), [{ rows: 4000 }]);
  } finally {
    await server.remove();
  }
});
