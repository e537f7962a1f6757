import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import pg from "pg";
import { Pipeline } from "../../src/builder/pipeline.ts";
import { sharesBackends } from "../../src/postgresql/connect/server-state.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { PostgreSQLSink } from "../../src/sinks/postgresql.ts";
import { PostgreSQLSource } from "../../src/sources/postgresql.ts";
import { tableSinkContract } from "../../src/testing/table-sink-contract.ts";
import { TransformStep } from "../../src/steps/transform.ts";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";
import { noPgbouncer, type Pgbouncer, startPgbouncer } from "../support/postgresql/pgbouncer.ts";
import { postgreSQLUnderTest } from "../support/postgresql/under-test.ts";

const skip = noPostgreSQL === false ? noPgbouncer : noPostgreSQL;
const database = testDatabase();

interface Visit {
  readonly id: number;
  readonly note: string;
}

suite("through pgbouncer in transaction mode", { concurrency: false }, () => {
  let pooler: Pgbouncer | undefined;
  let widePooler: Pgbouncer | undefined;
  before(async () => {
    if (skip !== false) return;
    pooler = await startPgbouncer(database.url(), 1);
    widePooler = await startPgbouncer(database.url(), 4);
  });
  after(async () => {
    await pooler?.stop();
    await widePooler?.stop();
  });
  const url = (): string => pooler?.url ?? "";

  const checks = tableSinkContract({
    create: async () => await postgreSQLUnderTest({ ...database, url }),
    strategies: ["merge"],
    kinds: ["a table of text"],
  });
  for (const { name, check } of checks) test(`PostgreSQLSink: ${name}`, { skip }, check);

  test("the pooler is seen", { skip }, async () => {
    const clients = [new pg.Client({ connectionString: url() }), new pg.Client({ connectionString: url() })] as const;
    await Promise.all(clients.map(async (client) => await client.connect()));
    try {
      assert.equal(await sharesBackends(...clients), true);
    } finally {
      await Promise.all(clients.map(async (client) => await client.end()));
    }
  });

  for (const mode of ["pages", "cursor"] as const) {
    test(`1,000 rows are read by ${mode} and written, two pipelines at once`, { skip }, async () => {
      await database.run(`DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;
        CREATE TABLE visits (id int PRIMARY KEY, note text);
        INSERT INTO visits SELECT n, 'note ' || n FROM generate_series(1, 1000) n;
        CREATE TABLE one (id int PRIMARY KEY, upper text); CREATE TABLE two (id int PRIMARY KEY, upper text);`);
      // A cursor keeps its connection while the sink needs another.
      const connectionString = (mode === "cursor" ? widePooler : pooler)?.url ?? "";
      const order = mode === "cursor" ? " ORDER BY note" : "";
      const runs = ["one", "two"].map(async (table) => {
        const source = new PostgreSQLSource<Visit>({
          ...{ connectionString, sql: `SELECT id, note FROM visits${order}`, primaryKeyColumn: "id" },
        });
        return await new Pipeline<Visit>({
          name: table,
          source,
          llmProvider: new MockProvider(),
          journal: "off",
          batchSize: 100,
        })
          .step(new TransformStep({ name: "upper", outputKey: "upper", transform: (s) => s.raw.note.toUpperCase() }))
          .to(
            new PostgreSQLSink({
              ...{ connectionString, targetTable: table, mergeKeys: ["id"] },
              columnMap: { id: (s) => s.raw.id, upper: (s) => s.processed.upper },
            }),
          )
          .run();
      });
      for (const { successCount, exitCode } of await Promise.all(runs))
        assert.deepEqual([successCount, exitCode], [1000, 0]);
      for (const table of ["one", "two"]) {
        const [found] = await database.run(
          `SELECT count(*)::int AS n, count(*) FILTER (WHERE upper = 'NOTE ' || id)::int AS good FROM ${table}`,
        );
        assert.deepEqual({ ...found }, { n: 1000, good: 1000 });
      }
    });
  }
});
