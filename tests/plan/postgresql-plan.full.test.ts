import assert from "node:assert/strict";
import { test } from "node:test";
import { ClassifierStep, Pipeline, SummarizerStep } from "../../src/index.ts";
import { PostgreSQLJournal } from "../../src/journals/postgresql.ts";
import { PostgreSQLSink } from "../../src/sinks/postgresql.ts";
import { PostgreSQLSource } from "../../src/sources/postgresql.ts";
import { BilledService } from "../support/planned.ts";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";

const database = testDatabase(`CREATE TABLE source (id int PRIMARY KEY, note text, changed_at timestamptz NOT NULL);
  CREATE INDEX ON source (changed_at);
  INSERT INTO source SELECT id, 'Note ' || id || ': ' || repeat('fever and cough ', 1 + id % 40), '2020-01-01'::timestamptz + id * interval '1 minute'
    FROM generate_series(1, 1200) AS id;
  CREATE TABLE target (id int PRIMARY KEY, kind text NOT NULL, summary text NOT NULL)`);

interface Row {
  readonly id: number;
  readonly note: string;
}

test(
  "source, target and journal in PostgreSQL: a plan counts what changed, writes nothing, and holds what the run takes",
  { skip: noPostgreSQL },
  async () => {
    const connectionString = database.url();
    const journal = new PostgreSQLJournal({ connectionString });
    await database.run(journal.createStatements());
    const service = new BilledService();
    const pipeline = new Pipeline({
      name: "planned",
      source: new PostgreSQLSource<Row>({
        connectionString,
        sql: "SELECT * FROM source",
        primaryKeyColumn: "id",
        changes: { by: "column", column: "changed_at" },
      }),
      llmProvider: service.provider(),
      journal,
      payloadLog: "off",
    })
      .step(
        new ClassifierStep({
          name: "kind",
          taxonomy: [
            { name: "Emergency", definition: "Urgent" },
            { name: "Routine", definition: "Planned" },
          ],
          inputMap: { text: (s) => s.raw.note },
          outputKey: "kind",
        }),
      )
      .step(new SummarizerStep({ name: "summary", inputMap: { text: (s) => s.raw.note }, outputKey: "summary" }))
      .to(
        new PostgreSQLSink({
          connectionString,
          targetTable: "target",
          mergeKeys: ["id"],
          columnMap: {
            id: (s) => Number(s.pk),
            kind: (s) => s.processed.kind.category,
            summary: (s) => s.processed.summary.text,
          },
        }),
      );
    const watermarks = async (): Promise<unknown> => await database.run("SELECT * FROM llm_etl.watermarks");
    for (const [rows, change] of [
      [1200, ""],
      [60, "UPDATE source SET note = note || ' again', changed_at = '2021-01-01' WHERE id % 20 = 0"],
    ] as const) {
      await database.run(change);
      const before = await watermarks();
      const plan = await pipeline.plan({ sample: 40 });
      assert.deepEqual(plan.rows, { read: rows, answered: 0, toAsk: rows, failing: 0 });
      assert.deepEqual([plan.sample.rows, plan.notes.map(({ code }) => code)], [40, []]);
      assert.deepEqual(await watermarks(), before);
      const asked = { calls: service.calls, bill: service.bill };
      const written = await database.run("SELECT count(*)::int AS count FROM target");
      assert.deepEqual(written, [{ count: rows === 1200 ? 0 : 1200 }]);
      const report = await pipeline.run();
      assert.equal(report.successCount, rows);
      assert.equal(service.calls - asked.calls, 2 * (rows - 40));
      const { low, high } = plan.cost?.tiers[0] ?? assert.fail("there are prices");
      const truth = service.bill - asked.bill;
      assert.ok(low <= truth && truth <= (high ?? Infinity), `${truth} is not from ${low} to ${high}`);
    }
  },
);
