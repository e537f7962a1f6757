import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { PostgreSQLJournal } from "../src/journals/postgresql.ts";
import { startCommand } from "./support/command.ts";
import { randomNumbers } from "./support/random-numbers.ts";
import { noPostgreSQL, testDatabase } from "./support/postgresql/database.ts";
import { execute, query } from "./support/sqlite.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const pipeline = fileURLToPath(new URL("fixtures/pipelines/growing.ts", import.meta.url));
const rowCount = 150;
/** LLM_ETL_KILLS=30 makes thirty. */
const killCount = Number(process.env["LLM_ETL_KILLS"] ?? 8);

/** A database with the pipeline's source and targets, and its journal. */
interface Site {
  readonly environment: Readonly<Record<string, string>>;
  readonly change: (id: number, codes: readonly string[]) => Promise<unknown>;
  readonly ask: (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** The lines that a fresh run over the source of now would write, with those of another writer, as a statement. */
  readonly expected: string;
}

const tables = `
  CREATE TABLE source (id INTEGER PRIMARY KEY, codes TEXT);
  CREATE TABLE headers (id INTEGER PRIMARY KEY, line_count INTEGER);
  CREATE TABLE lines (id INTEGER, code TEXT, place INTEGER, PRIMARY KEY (id, code));
  CREATE TABLE by_hand (id INTEGER, code TEXT, place INTEGER);
  INSERT INTO by_hand VALUES (1, 'by hand', 1), (2, 'by hand', 2), (${rowCount}, 'by hand', 3);
  INSERT INTO lines SELECT * FROM by_hand;`;

function sqliteSite(): Site {
  const folder = mkdtempSync(join(temporaryFolder(), "each "));
  const path = join(folder, "data.db");
  execute(
    path,
    `PRAGMA journal_mode = WAL; ${tables} WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ${rowCount})
    INSERT INTO source SELECT i, '["a","b"]' FROM n`,
  );
  return {
    environment: { FOLDER: folder },
    change: async (id, codes) =>
      await Promise.resolve(
        execute(
          path,
          `PRAGMA busy_timeout = 60000; UPDATE source SET codes = '${JSON.stringify(codes)}' WHERE id = ${id}`,
        ),
      ),
    ask: async (sql) => await Promise.resolve(query(path, sql)),
    expected:
      "SELECT source.id, value AS code, key AS place FROM source, json_each(codes) UNION ALL SELECT * FROM by_hand ORDER BY 1, 2",
  };
}

const database = testDatabase(
  `${tables} INSERT INTO source SELECT i, '["a","b"]' FROM generate_series(1, ${rowCount}) i;`,
);

async function postgreSQLSite(): Promise<Site> {
  await database.run(new PostgreSQLJournal({ connectionString: database.url() }).createStatements());
  return {
    environment: { GROWING_URL: database.url() },
    change: async (id, codes) =>
      await database.run("UPDATE source SET codes = $1 WHERE id = $2", [JSON.stringify(codes), id]),
    ask: async (sql) => await database.run(sql),
    expected: `SELECT id, code, place::int - 1 AS place FROM source, jsonb_array_elements_text(codes::jsonb) WITH ORDINALITY AS each (code, place)
      UNION ALL SELECT * FROM by_hand ORDER BY 1, 2`,
  };
}

async function killAndRun({ environment, change, ask, expected }: Site): Promise<number> {
  const random = randomNumbers(7);
  const someCodes = (): string[] => ["a", "b", "c", "d", "e"].filter(() => random() < 0.4);
  let kills = 0;
  for (let attempt = 0; kills < killCount && attempt < 3 * killCount; attempt += 1) {
    for (let count = 0; count < 40; count += 1) await change(1 + Math.floor(random() * rowCount), someCodes());
    const command = startCommand(["run", pipeline, "--quiet"], environment);
    const written = async (): Promise<string> =>
      JSON.stringify(await ask("SELECT id, code, place FROM lines ORDER BY 1, 2"));
    const before = await written();
    // Some are killed before they write, the others at any moment after.
    const isEarly = attempt % 4 === 0;
    if (!isEarly) while (command.child.exitCode === null && (await written()) === before) await setTimeout(5);
    await setTimeout((isEarly ? 300 : 120) * random());
    kills += command.child.kill("SIGKILL") ? 1 : 0;
    await command.ended;
  }
  assert.equal(kills, killCount);
  const last = await startCommand(["run", pipeline], environment).ended;
  assert.equal(last.exitCode, 0, last.stderr);
  assert.deepEqual(await ask("SELECT id, code, place FROM lines ORDER BY 1, 2"), await ask(expected));
  const wrong = await ask(`SELECT h.id FROM headers h WHERE line_count <> (SELECT count(*) FROM lines l
    WHERE l.id = h.id AND code <> 'by hand')`);
  assert.deepEqual(wrong, []);
  const again = await startCommand(["run", pipeline], environment).ended;
  assert.match(again.stderr, new RegExp(`${rowCount} unchanged`));
  return kills;
}

test("groups that shrink and grow, by runs that are killed at any moment, are as a fresh run's", async (t) => {
  t.diagnostic(`${await killAndRun(sqliteSite())} kills`);
});

test("the same with source, targets and journal in PostgreSQL", { skip: noPostgreSQL }, async (t) => {
  t.diagnostic(`${await killAndRun(await postgreSQLSite())} kills`);
});
