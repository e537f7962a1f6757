// Full lane: 3,000 rows through faults take four seconds of CPU.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Pipeline, TransformStep } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { SQLServerSink } from "../../src/sinks/sql-server.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { readLines } from "../support/run-rows.ts";
import { startTargetServer } from "../support/sql-server-target.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();

test("a run through deadlocks, broken connections, a lost commit and bad rows writes every good row once", async (t) => {
  const count = 1500;
  // The column was narrowed after the preflight: the server alone can tell which rows are too long.
  const narrowed = "CREATE TABLE dbo.visits (id NVARCHAR(40) NOT NULL PRIMARY KEY, value NVARCHAR(20) NULL)";
  for (const strategy of ["merge", "update_insert"] as const) {
    const server = await startTargetServer(
      {
        sql: narrowed,
        facts: (facts) => ({
          ...facts,
          columns: facts.columns.map((column) =>
            column["column_name"] === "value" ? { ...column, max_length: 400 } : column,
          ),
        }),
      },
      t,
    );
    const deadlocks = server.faults.add({ on: /MERGE|UPDATE t/, error: 1205, probability: 0.05, seed: 3 });
    const breaks = server.faults.add({ on: /BULK ROWS/, drop: "before", probability: 0.03, seed: 7 });
    const lost = server.faults.add({ on: /^COMMIT/, nth: 5, drop: "after" });
    const isBad = (id: number): boolean => id % 100 === 42;
    const source = new MemorySource<{ id: string }>({
      rows: Array.from({ length: count }, (_, id) => ({ id: `${id}` })),
      primaryKeyColumn: "id",
    });
    const deadLetterPath = join(folder, `${strategy}.jsonl`);
    const report = await new Pipeline({
      name: "faults",
      source,
      llmProvider: new MockProvider(),
      batchSize: 50,
      onRowError: "dead_letter",
      deadLetterPath,
      journalPath: join(folder, `${strategy}.db`),
      payloadLog: "off",
    })
      .step(
        new TransformStep({
          name: "widen",
          outputKey: "text",
          transform: (state: { raw: { id: string } }) =>
            isBad(Number(state.raw.id)) ? "secret ".repeat(10) : `text ${state.raw.id}`,
        }),
      )
      .to(
        new SQLServerSink({
          connectionString: server.connectionString,
          targetTable: "visits",
          strategy,
          mergeKeys: ["id"],
          columnMap: { id: (state) => state.pk, value: (state) => state.processed.text },
        }),
      )
      .run();
    const rows = server.table("dbo.visits").rows();
    assert.ok(deadlocks.hits > 0 && breaks.hits > 0 && lost.hits === 1, "the faults came");
    assert.equal(report.successCount, count - 15);
    assert.equal(report.failureCount, 15);
    assert.equal(rows.length, count - 15);
    const good = Array.from({ length: count }, (_, id) => id).filter((id) => !isBad(id));
    assert.deepEqual(
      new Map(rows.map(({ id, value }) => [id, value])),
      new Map(good.map((id) => [`${id}`, `text ${id}`])),
    );
    const letters = readLines(deadLetterPath);
    assert.equal(letters.length, 15);
    for (const letter of letters) assert.match(JSON.stringify(letter), /2628.*value/);
  }
});
