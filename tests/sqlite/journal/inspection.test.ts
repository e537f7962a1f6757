import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { inspectJournal } from "../../../src/sqlite/journal/inspection.ts";
import { SQLiteJournal } from "../../../src/journals/sqlite.ts";
import { runRecord, writeJournal } from "../../support/journal-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const parent = temporaryFolder();
const freshPath = async (): Promise<string> => join(await mkdtemp(join(parent, "of ")), "journal.db");

/** Names, sizes and times of all files beside a path. */
function filesBeside(path: string): readonly string[] {
  const folder = join(path, "..");
  return readdirSync(folder).map((name) => {
    const { size, mtimeMs } = statSync(join(folder, name));
    return `${name} ${size} ${mtimeMs}`;
  });
}

const written = (pk: string, runId: string) => ({
  ...{ pk, targetKey: pk, valuesHash: "ab", runId, lineage: {} },
  ...{ startedAt: new Date(0), completedAt: new Date(0) },
});

test("where there is no journal nothing is known, and nothing is made", async () => {
  const path = join(await freshPath(), "..", "new", "journal.db");
  assert.equal(await inspectJournal(path, "memory"), undefined);
  assert.ok(!existsSync(join(path, "..")));
});

test("rows of the sink are counted and the last run is told, also through a link; no file changes", async () => {
  const path = await freshPath();
  const last = runRecord();
  await writeJournal(path, [runRecord({ startedAt: new Date(0) }), last]);
  const journal = await SQLiteJournal.open(path);
  await journal.keepWrittenRows("memory", [written("1", last.runId), written("2", last.runId)]);
  await journal.keepWrittenRows("other", [written("3", last.runId)]);
  await journal.keepBadRow("memory", { pk: "2", errorCode: "X", runId: last.runId });
  await journal.close();
  const link = join(parent, "link.db");
  symlinkSync(path, link);
  const before = filesBeside(path);
  for (const given of [path, link]) {
    const facts = await inspectJournal(given, "memory");
    assert.deepEqual([facts?.writtenCount, facts?.lastRun?.runId, facts?.holder], [1, last.runId, undefined]);
  }
  assert.equal((await inspectJournal(path, undefined))?.writtenCount, 0);
  assert.deepEqual(filesBeside(path), before);
});

test("a run that has the journal is told with its process, and goes on", async () => {
  const path = await freshPath();
  const journal = await SQLiteJournal.open(path);
  const run = runRecord({ status: "running", endedAt: null, processId: process.pid });
  await journal.keepRun(run);
  await journal.keepWrittenRows("memory", [written("1", run.runId)]);
  const facts = await inspectJournal(path, "memory");
  assert.match(facts?.holder ?? "", new RegExp(`^process ${process.pid} on worker-1, whose run started at 2026`));
  assert.deepEqual([facts?.writtenCount, facts?.lastRun?.status], [1, "running"]);
  await journal.keepRun({ ...run, status: "completed" });
  await journal.close();
});

test("what is no journal, or is cut off, or lies where none can be, is refused as by a run", async () => {
  const path = await freshPath();
  writeFileSync(path, "too short");
  await assert.rejects(inspectJournal(path, "memory"), {
    code: "JOURNAL_FAILED",
    message: /has 9 bytes: it is damaged/,
  });
  writeFileSync(path, "no database".repeat(1000));
  await assert.rejects(inspectJournal(path, "memory"), { code: "JOURNAL_FAILED", message: /is damaged/ });
  await assert.rejects(inspectJournal(join(path, "below.db"), "memory"), {
    code: "JOURNAL_FAILED",
    message: /can't be opened or written.*ENOTDIR/,
  });
});

test(
  "a journal that can't be written is refused",
  { skip: process.getuid?.() === 0 ? "root may write everywhere" : false },
  async () => {
    const path = await freshPath();
    await writeJournal(path, [runRecord()]);
    chmodSync(join(path, ".."), 0o500);
    await assert.rejects(inspectJournal(path, "memory"), { code: "JOURNAL_FAILED", message: /EACCES/ });
    chmodSync(join(path, ".."), 0o700);
  },
);
