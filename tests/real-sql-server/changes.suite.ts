import assert from "node:assert/strict";
import { join } from "node:path";
import { suite, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { ChangedRow } from "../../src/contracts/source.ts";
import { Pipeline, TransformStep } from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { SQLServerSink } from "../../src/sinks/sql-server.ts";
import { SQLServerSource } from "../../src/sources/sql-server.ts";
import type { SQLServerChanges } from "../../src/sql-server/read/change-options.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";
import { changeTypes } from "../support/change-types.ts";
import { noServer, realServer } from "../support/real-sql-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

// NOT RUN on a real server yet: none could be reached. `npm test` runs this file against the test server. Run it with `npm run test:sql-server` on
// yours: there it shows what MIN_ACTIVE_ROWVERSION() gives, and in which order rows come.

interface Row {
  readonly id: number;
  readonly note: string | null;
}

const byRowversion: SQLServerChanges = { by: "rowversion", column: "c" };

suite("changes on a real server", { skip: noServer }, () => {
  const server = realServer();

  const sourceOf = (table: string, changes: SQLServerChanges): SQLServerSource<Row> =>
    new SQLServerSource<Row>({ sql: `SELECT * FROM ${table}`, primaryKeyColumn: "id", changes });

  /** Each id, with `~` for a row that is not settled and `?` for one without a place. */
  const marksOf = async (source: SQLServerSource<Row>, since?: string): Promise<string> =>
    (await changesOf(source, since))
      .map(({ place, ...row }) => `${idOf(row)}${place === null ? "?" : place.isSettled ? "" : "~"}`)
      .join(" ");

  for (const [type, ...values] of changeTypes) {
    const [first, second, third] = values.map((value) => (typeof value === "string" ? `'${value}'` : String(value)));
    test(`rows come in the order of a column of ${type}, and a read goes on behind each to the last digit`, async () => {
      const name = `by_${type.replaceAll(/\W/g, "_")}`;
      const table = await server.create(name, `id INT NOT NULL PRIMARY KEY, c ${type} NULL`);
      await server.run(
        `INSERT INTO ${table} (id, c) VALUES (1, ${third}), (2, NULL), (3, ${first}), (4, ${second}), (5, ${first})`,
      );
      const source = sourceOf(table, { by: "column", column: "c" });
      const rows = await changesOf(source);
      assert.deepEqual(rows.map(idOf), [3, 5, 4, 1, 2]);
      for (const [index, { place }] of rows.entries()) {
        if (place === null) continue;
        assert.ok(place.isSettled);
        assert.deepEqual((await changesOf(source, place.exact)).map(idOf), rows.slice(index + 1).map(idOf));
      }
    });
  }

  test("by rowversion: nothing is settled that is not before the versions of open transactions", async () => {
    const table = await server.create("versions", "id INT NOT NULL PRIMARY KEY, note NVARCHAR(20) NULL, c ROWVERSION");
    const other = await server.create("other_versions", "id INT NOT NULL PRIMARY KEY, c ROWVERSION");
    await server.run(`INSERT INTO ${table} (id) VALUES (1), (2), (3)`);
    const source = sourceOf(table, byRowversion);
    const rows = await changesOf(source);
    const since = rows.at(-1)?.place?.exact;
    await comesToBe(rows.map(idOf).join(" "), () => marksOf(source));
    assert.equal(await marksOf(source, since), "");
    const elsewhere = await server.begin();
    await elsewhere.run(`INSERT INTO ${other} (id) VALUES (1)`);
    await server.run(`INSERT INTO ${table} (id) VALUES (4)`);
    assert.equal(await marksOf(source, since), "4~", "an open transaction has given a version to another row before");
    await elsewhere.commit();
    await comesToBe("4", () => marksOf(source, since));
    const late = await server.begin();
    await late.run(`UPDATE ${table} SET note = N'late' WHERE id = 1`);
    const reading = marksOf(source, since); // waits for the row, or does not see it yet
    await setTimeout(300);
    await late.commit();
    assert.match(await reading, /^4( 1~?)?$/);
    await comesToBe("4 1", () => marksOf(source, since));
  });

  test("by rowversion it keeps what every source promises that can tell changes", async (t) => {
    const table = await server.create("promises", "id INT NOT NULL PRIMARY KEY, c ROWVERSION");
    await server.run(`INSERT INTO ${table} (id) VALUES (1), (2), (3)`);
    const rows = [];
    for await (const row of sourceOf(table, byRowversion).read(context())) if (!("error" in row)) rows.push(row.raw);
    const create = (): SQLServerSource<Row> => sourceOf(table, byRowversion);
    for (const { name, check } of sourceContract({ create, rows })) await t.test(name, check);
  });

  test("a pipeline reads everything once, and then what changed", async () => {
    const table = await server.create("visits", "id INT NOT NULL PRIMARY KEY, note NVARCHAR(20) NULL, c ROWVERSION");
    await server.run(`CREATE INDEX ix_visits_by_change ON ${table} (c, id)`);
    const target = await server.create("visits_target", "id INT NOT NULL PRIMARY KEY, note NVARCHAR(20) NULL");
    const values = Array.from({ length: 300 }, (_, index) => `(${index + 1}, N'note ${index + 1}')`);
    await server.run(`INSERT INTO ${table} (id, note) VALUES ${values.join(", ")}`);
    const folder = temporaryFolder();
    const pipeline = new Pipeline<Row>({
      name: "changed visits",
      source: sourceOf(table, byRowversion),
      llmProvider: new MockProvider(),
      journal: new SQLiteJournal({ path: join(folder, "changes.db") }),
      payloadLog: "off",
    })
      .step(new TransformStep({ name: "loud", outputKey: "loud", transform: (s) => (s.raw.note ?? "").toUpperCase() }))
      .to(
        new SQLServerSink({
          targetTable: target,
          mergeKeys: ["id"],
          strategy: "update_insert",
          columnMap: { id: (s) => Number(s.pk), note: (s) => s.processed.loud },
        }),
      );
    assert.deepEqual((await pipeline.run()).changes?.rows, "all");
    await server.run(`UPDATE ${table} SET note = N'again' WHERE id IN (7, 170)`);
    const { changes, readCount } = await pipeline.run();
    assert.deepEqual([changes?.rows, readCount], ["changes", 2]);
    const notes = await server.run(`SELECT id FROM ${target} WHERE note = N'AGAIN' ORDER BY id`);
    assert.deepEqual(notes, [{ id: 7 }, { id: 170 }]);
    await comesToBe(0, async () => (await pipeline.run()).readCount);
  });
});

/** Others who use the database may have transactions open for a while, too. */
async function comesToBe<Value>(expected: Value, get: () => Promise<Value>): Promise<void> {
  const untilMs = performance.now() + 30_000;
  for (;;) {
    const got = await get();
    if (got === expected || performance.now() > untilMs) {
      assert.equal(got, expected);
      return;
    }
    await setTimeout(100);
  }
}

function context() {
  return { signal: AbortSignal.timeout(60_000), parameters: {} };
}

async function changesOf({ changes }: SQLServerSource<Row>, since?: string): Promise<ChangedRow[]> {
  assert.ok(changes !== undefined);
  return await Array.fromAsync(changes.read(since, context()));
}

function idOf(row: object): unknown {
  const { raw }: { readonly raw?: Readonly<Record<string, unknown>> } = row;
  return raw?.["id"];
}
