import assert from "node:assert/strict";
import { join } from "node:path";
import { before, suite, test } from "node:test";
import { ClassifierStep, Pipeline, type RunnablePipeline } from "../../src/index.ts";
import type { Journal } from "../../src/contracts/journal.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { SQLServerJournal } from "../../src/journals/sql-server.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { SQLServerSink } from "../../src/sinks/sql-server.ts";
import { SQLServerSource } from "../../src/sources/sql-server.ts";
import { createJournal, noServer, realServer } from "../support/real-sql-server.ts";
import { readLines } from "../support/run-rows.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Note {
  readonly id: number;
  readonly text: string;
}

const rowCount = 200;
const refusedIds = [42, 142];

suite("a pipeline on a real server", { skip: noServer }, () => {
  const server = realServer();
  const folder = temporaryFolder();
  let notes = "";

  before(async () => {
    await createJournal(server);
    notes = await server.create("notes", "id INT NOT NULL PRIMARY KEY, text NVARCHAR(MAX) NOT NULL");
    const rows = Array.from({ length: rowCount }, (_, index) => {
      return `(${index + 1}, N'${index % 2 === 0 ? "chest pain, ambulance" : "yearly physical, no complaints"} ${index}')`;
    });
    await server.run(`INSERT INTO ${notes} (id, text) VALUES ${rows.join(", ")}`);
  });

  type Written = "merge" | "update_insert";
  const pipelineInto = (name: string, table: string, strategy: Written, journal: Journal): RunnablePipeline =>
    new Pipeline({
      name,
      source: new SQLServerSource<Note>({
        sql: `SELECT TOP (@page_size) id, text FROM ${notes} WHERE (@after IS NULL OR id > @after) ORDER BY id OPTION (RECOMPILE)`,
        primaryKeyColumn: "id",
        paging: { keyColumn: "id", pageSize: 64 },
      }),
      llmProvider: new MockProvider(),
      batchSize: 50,
      onRowError: "dead_letter",
      deadLetterPath: join(folder, `${name}.jsonl`),
      journal,
      payloadLog: "off",
    })
      .step(
        new ClassifierStep({
          name: "kind",
          taxonomy: [
            { name: "Emergency", definition: "Chest pain, ambulance" },
            { name: "Routine Checkup", definition: "Yearly physical of a person without complaints" },
          ],
          inputMap: { text: (s) => s.raw.text },
          outputKey: "kind",
        }),
      )
      .to(
        new SQLServerSink({
          targetTable: table,
          strategy,
          mergeKeys: ["id"],
          columnMap: {
            id: (s) => s.pk,
            kind: (s) => s.processed.kind.category,
            confidence: (s) => s.processed.kind.confidence,
            processed_at: (s) => s.completedAt,
          },
        }),
      );

  const journals = {
    merge: () => new SQLiteJournal({ path: join(folder, "real_merge.db") }),
    update_insert: () => new SQLServerJournal({ schema: server.schema }),
  };

  for (const strategy of ["merge", "update_insert"] as const) {
    test(`by ${strategy} every row is written once or dead-lettered, and a second run writes nothing`, async (t) => {
      const refusal = strategy === "merge" ? await server.refusalOfMerge() : undefined;
      if (refusal !== undefined) {
        t.skip(refusal);
        return;
      }
      const constraint = `CK_enriched_${strategy}`;
      const table = await server.create(
        `enriched_${strategy}`,
        `id INT NOT NULL PRIMARY KEY, kind NVARCHAR(20) NOT NULL, confidence DECIMAL(3,2) NOT NULL, processed_at DATETIME2(3) NOT NULL,
        CONSTRAINT ${constraint} CHECK (id NOT IN (${refusedIds.join(", ")}))`,
      );
      const pipeline = pipelineInto(`real_${strategy}`, table, strategy, journals[strategy]());
      const first = await pipeline.run();
      assert.deepEqual(
        [first.status, first.successCount, first.failureCount],
        ["completed", rowCount - refusedIds.length, refusedIds.length],
      );
      const counts = await server.run(`SELECT kind, COUNT(*) AS number FROM ${table} GROUP BY kind ORDER BY kind`);
      assert.deepEqual(counts, [
        { kind: "Emergency", number: rowCount / 2 },
        { kind: "Routine Checkup", number: rowCount / 2 - refusedIds.length },
      ]);
      const letters = readLines(join(folder, `real_${strategy}.jsonl`));
      assert.equal(letters.length, refusedIds.length);
      for (const letter of letters) assert.match(JSON.stringify(letter), new RegExp(`error 547.*${constraint}`));
      const second = await pipeline.run();
      assert.deepEqual(
        [second.status, second.unchangedCount, second.failureCount],
        ["completed", rowCount - refusedIds.length, refusedIds.length],
      );
    });
  }
});
