import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { startCommand } from "./support/command.ts";
import { execute, query } from "./support/sqlite.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const pipeline = fileURLToPath(new URL("fixtures/pipelines/changing.ts", import.meta.url));
const rowCount = 1000;

/** How far the journal says that the changes were read; undefined before it says so. */
function placeIn(journal: string): unknown {
  try {
    return query(journal, "SELECT value FROM watermarks")[0]?.["value"];
  } catch {
    return undefined; // it is not there yet
  }
}

test("runs that read only what changed, killed while rows change and fail, miss none: one more run has all", async () => {
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
  const writer = new DatabaseSync(data);
  writer.exec("PRAGMA busy_timeout = 60000");
  const change = writer.prepare(
    "UPDATE source SET note = 'change ' || ?, changed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = ?",
  );
  let killCount = 0;
  let changeCount = 0;
  for (let attempt = 0; attempt < 8; attempt += 1) {
    const before = placeIn(journal);
    const command = startCommand(["run", pipeline, "--quiet"], { FOLDER: folder, FAILING: "yes" });
    // The last ones may run to their end; the others are killed once they have saved how far they are, or before.
    while (
      command.child.exitCode === null &&
      (attempt % 3 === 2 ? query(data, "SELECT 1 FROM target").length === 0 : placeIn(journal) === before)
    ) {
      changeCount += 1;
      change.run(changeCount, 1 + ((changeCount * 7919) % rowCount));
      await setTimeout(10);
    }
    killCount += command.child.kill("SIGKILL") ? 1 : 0;
    await command.ended;
  }
  writer.close();
  assert.ok(killCount >= 3, `${killCount} were killed`);
  await setTimeout(2100); // the lag, and the second of the last change
  const last = await startCommand(["run", pipeline], { FOLDER: folder }).ended;
  assert.equal(last.exitCode, 0, last.stderr);
  const missed = "SELECT id FROM source LEFT JOIN target USING (id) WHERE target.note IS NOT source.note || '!'";
  assert.deepEqual(query(data, missed), []);
  const again = await startCommand(["run", pipeline], { FOLDER: folder }).ended;
  assert.match(again.stderr, /\brows +0 read\b/);
  assert.match(again.stderr, /\bchanges only what changed since \S+ was read \(changed_at\)/);
});
