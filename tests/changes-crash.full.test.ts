import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { PostgreSQLJournal } from "../src/journals/postgresql.ts";
import { startCommand } from "./support/command.ts";
import { noPostgreSQL, testDatabase } from "./support/postgresql/database.ts";
import { execute, query } from "./support/sqlite.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const pipeline = fileURLToPath(new URL("fixtures/pipelines/changing.ts", import.meta.url));
const rowCount = 1000;
/** LLM_ETL_KILLS=30 makes more than twenty kills. */
const attemptCount = Number(process.env["LLM_ETL_KILLS"] ?? 8);

/** A database with the pipeline's source and target, and its journal. */
interface Site {
  readonly environment: Readonly<Record<string, string>>;
  readonly change: (changeCount: number, id: number) => Promise<unknown>;
  /** How far the journal says that the changes were read; undefined before it says so. */
  readonly place: () => Promise<unknown>;
  readonly targetCount: () => Promise<number>;
  readonly missed: () => Promise<readonly unknown[]>;
}

function sqliteSite(): Site {
  const folder = mkdtempSync(join(temporaryFolder(), "changes "));
  const [data, journal] = [join(folder, "data.db"), join(folder, "journal.db")];
  execute(
    data,
    `PRAGMA journal_mode = WAL;
    CREATE TABLE source (id INTEGER PRIMARY KEY, note TEXT, changed_at TEXT);
    CREATE INDEX source_by_change ON source (changed_at);
    CREATE TABLE target (id INTEGER PRIMARY KEY, note TEXT);
    WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ${rowCount})
    INSERT INTO source SELECT i, 'note ' || i, datetime('2026-01-01', '+' || (i / 3) || ' seconds') FROM n`,
  );
  const now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";
  const ask = async (path: string, sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> =>
    await Promise.resolve(query(path, sql));
  return {
    environment: { FOLDER: folder },
    change: async (count, id) =>
      await Promise.resolve(
        execute(
          data,
          `PRAGMA busy_timeout = 60000; UPDATE source SET note = 'change ${count}', changed_at = ${now} WHERE id = ${id}`,
        ),
      ),
    place: async () =>
      await ask(journal, "SELECT value FROM watermarks").then(
        ([one]) => one?.["value"],
        () => undefined,
      ),
    targetCount: async () => (await ask(data, "SELECT id FROM target")).length,
    missed: async () =>
      await ask(data, "SELECT id FROM source LEFT JOIN target USING (id) WHERE target.note IS NOT source.note || '!'"),
  };
}

const database = testDatabase(`
  CREATE TABLE source (id int PRIMARY KEY, note text, changed_at timestamptz);
  CREATE INDEX source_by_change ON source (changed_at, id);
  CREATE TABLE target (id int PRIMARY KEY, note text);
  INSERT INTO source SELECT i, 'note ' || i, timestamptz '2026-01-01' + (i / 3) * interval '1 second' FROM generate_series(1, ${rowCount}) i;
`);

async function postgreSQLSite(): Promise<Site> {
  await database.run(new PostgreSQLJournal({ connectionString: database.url() }).createStatements());
  return {
    environment: { CHANGING_URL: database.url() },
    change: async (count, id) =>
      await database.run(
        "UPDATE source SET note = 'change ' || $1::text, changed_at = clock_timestamp() WHERE id = $2",
        [count, id],
      ),
    place: async () => (await database.run("SELECT record FROM llm_etl.watermarks"))[0]?.["record"],
    targetCount: async () => Number((await database.run("SELECT count(*) AS n FROM target"))[0]?.["n"]),
    missed: async () =>
      await database.run(
        "SELECT id FROM source LEFT JOIN target USING (id) WHERE target.note IS DISTINCT FROM source.note || '!'",
      ),
  };
}

async function killAndRun({ environment, change, place, targetCount, missed }: Site): Promise<number> {
  let killCount = 0;
  let changeCount = 0;
  for (let attempt = 0; attempt < attemptCount; attempt += 1) {
    const before = await place();
    const command = startCommand(["run", pipeline, "--quiet"], { ...environment, FAILING: "yes" });
    // The last ones may run to their end; the others are killed once they have saved how far they are, or before.
    while (
      command.child.exitCode === null &&
      (attempt % 3 === 2 ? (await targetCount()) === 0 : (await place()) === before)
    ) {
      changeCount += 1;
      await change(changeCount, 1 + ((changeCount * 7919) % rowCount));
      await setTimeout(10);
    }
    killCount += command.child.kill("SIGKILL") ? 1 : 0;
    await command.ended;
  }
  assert.ok(killCount >= 3, `${killCount} were killed`);
  await setTimeout(2100); // the lag, and the second of the last change
  const last = await startCommand(["run", pipeline], environment).ended;
  assert.equal(last.exitCode, 0, last.stderr);
  assert.deepEqual(await missed(), []);
  const again = await startCommand(["run", pipeline], environment).ended;
  assert.match(again.stderr, /\brows +0 read\b/);
  assert.match(again.stderr, /\bchanges only what changed since \S+ was read \(changed_at\)/);
  return killCount;
}

test("runs that read only what changed, killed while rows change and fail, miss none: one more run has all", async (t) => {
  t.diagnostic(`${await killAndRun(sqliteSite())} kills`);
});

test("the same with source, target and journal in PostgreSQL", { skip: noPostgreSQL }, async (t) => {
  t.diagnostic(`${await killAndRun(await postgreSQLSite())} kills`);
});
