import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { SQLiteJournal } from "../../../src/journals/sqlite.ts";
import { openJournal, runRecord } from "../../support/journal-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const folder = temporaryFolder();
const golden = fileURLToPath(new URL("../../golden/journal-0.1/", import.meta.url));

/** A copy of a journal that version 0.1 left behind. */
function journalOf01(name: string): string {
  const path = join(mkdtempSync(join(folder, "of 0.1 ")), "journal.db");
  copyFileSync(join(golden, name, "journal.db"), path);
  return path;
}

function inDatabase<Result>(path: string, work: (database: DatabaseSync) => Result): Result {
  const database = new DatabaseSync(path);
  try {
    return work(database);
  } finally {
    database.close();
  }
}

const versionOf = (path: string): unknown =>
  inDatabase(path, (database) => database.prepare("PRAGMA user_version").get()?.["user_version"]);

/** The version that a journal of today has. */
const newest = await (async () => {
  const path = join(folder, "newest.db");
  await (await openJournal(path)).close();
  return Number(versionOf(path));
})();

/** The fingerprints in a journal, and the primary keys of its rows by outcome. */
const keysIn = (path: string) =>
  inDatabase(path, (database) => ({
    fingerprints: database
      .prepare("SELECT lower(hex(fingerprint)) AS key FROM answers ORDER BY number")
      .all()
      .map(({ key }) => String(key)),
    failedCount: Number(database.prepare("SELECT count(*) AS n FROM rows WHERE outcome = 'failed'").get()?.["n"]),
  }));

test("a journal of 0.1 shows its runs before anybody has brought it up to date, with nothing where 0.1 kept nothing", async () => {
  const path = journalOf01("some-failed");
  const before = readFileSync(path);
  const reader = await new SQLiteJournal({ path }).reader();
  const { items } = (await reader?.runs.list({ limit: 10 })) ?? { items: [] };
  assert.ok(items.length > 0);
  for (const { status, figures, version, options, steps } of items) {
    assert.ok(status !== "running" && figures.readCount > 0);
    assert.deepEqual([version, options, steps], [null, {}, []]);
  }
  const [newest] = items;
  assert.deepEqual(await reader?.runs.failures(newest?.runId ?? "", { limit: 10 }), { items: [], next: null });
  assert.equal(await reader?.runs.count({ pipeline: newest?.pipeline }), items.length);
  assert.notEqual(await reader?.rows.writtenCount(newest?.sink ?? ""), 0);
  assert.deepEqual(readFileSync(path), before);
  assert.equal(versionOf(path), 1);
});

test("opening a journal of 0.1 brings it to the newest version, and every answer, row and run is there", async () => {
  const path = journalOf01("some-failed");
  const { fingerprints, failedCount } = keysIn(path);
  assert.ok(fingerprints.length > 0 && failedCount > 0);
  const runs = await (await new SQLiteJournal({ path }).reader())?.runs.list({ limit: 10 });
  const session = await openJournal(path);
  assert.deepEqual([...(await session.answers.find(fingerprints)).keys()], fingerprints);
  assert.equal(await session.rows.hasWritten(runs?.items[0]?.sink ?? ""), true);
  await session.close();
  assert.equal(versionOf(path), newest);
  assert.equal(keysIn(path).failedCount, failedCount);
  assert.deepEqual(await (await new SQLiteJournal({ path }).reader())?.runs.list({ limit: 10 }), runs);
});

test("a process that is killed while it brings a journal up to date leaves the old one or the new one", async () => {
  const module = pathToFileURL(join(import.meta.dirname, "../../../src/journals/sqlite.ts")).href;
  for (const delayMs of [0, 2, 5, 10, 20]) {
    const path = journalOf01("some-failed");
    const { fingerprints } = keysIn(path);
    const script = `
      const { SQLiteJournal } = await import(${JSON.stringify(module)});
      const opening = new SQLiteJournal({ path: ${JSON.stringify(path)} }).open(${JSON.stringify(runRecord())}, new AbortController().signal);
      console.log("opening");
      await opening;
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NODE_V8_COVERAGE: "" }, // it would be cut off, too
    });
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.ok(Number(versionOf(path)) >= 1 && Number(versionOf(path)) <= newest);
    const session = await openJournal(path);
    assert.equal((await session.answers.find(fingerprints)).size, fingerprints.length);
    await session.close();
    assert.equal(versionOf(path), newest);
  }
});

/** Version 2, as the first commits of 0.2 made it of version 1. */
const version2 = `
  CREATE TABLE failures (
    number INTEGER PRIMARY KEY, run_id TEXT NOT NULL, position INTEGER NOT NULL, pk, owns_key INTEGER NOT NULL, step TEXT,
    error_code TEXT NOT NULL, error_message TEXT NOT NULL, retry_count INTEGER NOT NULL, failed_at INTEGER NOT NULL
  );
  CREATE INDEX failures_by_run ON failures (run_id);
  INSERT INTO failures VALUES (NULL, 'run-1', 7, '7', 1, 'kind', 'REFUSAL', 'declined', 0, 1234);
  PRAGMA user_version = 2`;

test("a journal of version 2 shows what it has, and is brought to the newest version with all of it", async () => {
  const path = journalOf01("some-failed");
  const { fingerprints } = keysIn(path);
  inDatabase(path, (database) => database.exec(version2));
  const before = readFileSync(path);
  const journal = new SQLiteJournal({ path });
  const reader = await journal.reader();
  const runs = await reader?.runs.list({ limit: 10 });
  const failures = await reader?.runs.failures("run-1", { limit: 10 });
  assert.deepEqual(
    failures?.items.map(({ position }) => position),
    [7],
  );
  const [run] = runs?.items ?? [];
  const none = { items: [], next: null };
  const { runId = "", sink = "" } = run ?? {};
  assert.deepEqual(await reader?.runs.rows(runId, { limit: 10, outcome: "written" }), none);
  assert.deepEqual(await reader?.runs.attempts(runId, "1", { limit: 10 }), none);
  assert.deepEqual(await reader?.runs.timeline(runId, { limit: 10 }), none);
  assert.deepEqual(await reader?.runs.values(runId, { limit: 10 }), none);
  assert.deepEqual(await reader?.work.list({ limit: 10 }), none);
  assert.deepEqual(await reader?.work.fingerprints("a", { limit: 10 }), none);
  assert.deepEqual(await reader?.watermarks.list({ limit: 10 }), none);
  assert.deepEqual(await reader?.evaluations.list({ limit: 10 }), none);
  assert.equal(await reader?.evaluations.find("a"), undefined);
  assert.deepEqual(await reader?.overrides.list({ limit: 10 }), none);
  assert.deepEqual(await reader?.leases.list(runId, { limit: 10 }), none);
  assert.deepEqual(await reader?.spending.list({ limit: 10 }), none);
  assert.deepEqual(await reader?.spending.reservations({ limit: 10 }), none);
  assert.equal((await reader?.answers.findUsed(sink, ["1"]))?.size, 0);
  assert.equal((await reader?.children.find(sink, ["1"]))?.size, 0);
  assert.equal((await reader?.answers.find(fingerprints))?.size, fingerprints.length);
  assert.deepEqual(readFileSync(path), before, "a look changes nothing");
  const session = await openJournal(path);
  await session.answers.saveUsed(sink, [{ pk: "1", fingerprints: fingerprints.slice(0, 1) }]);
  assert.equal((await session.answers.find(fingerprints)).size, fingerprints.length);
  await session.close();
  assert.equal(versionOf(path), newest);
  assert.deepEqual(await reader?.runs.list({ limit: 10 }), runs);
  assert.deepEqual(await reader?.runs.failures("run-1", { limit: 10 }), failures);
});
