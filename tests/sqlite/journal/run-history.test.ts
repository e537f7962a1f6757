import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Tally } from "../../../src/pipeline/tally.ts";
import type { RunRecord } from "../../../src/contracts/journal.ts";
import { readRuns } from "../../../src/sqlite/journal/run-history.ts";
import { SQLiteJournal } from "../../../src/journals/sqlite.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const folder = temporaryFolder();

function record(runId: string, status: RunRecord["status"]): RunRecord {
  const startedAt = new Date("2026-01-02T03:04:05Z");
  const endedAt = status === "running" ? null : new Date("2026-01-02T03:05:05Z");
  const run = {
    runId,
    pipeline: "visits",
    kind: "run" as const,
    sink: "memory",
    startedAt,
    endedAt,
    status,
    error: null,
    exitCode: null,
  };
  return { ...run, figures: new Tally(null).figures(0), processId: 1, host: "here" };
}

test("runs are read while one of them writes; those that never said how they ended were interrupted", async () => {
  const path = join(folder, "runs.db");
  const journal = await SQLiteJournal.open(path);
  await journal.keepRun(record("killed", "running"));
  await journal.keepRun(record("done", "completed"));
  await journal.keepRun(record("current", "running"));
  const statuses = async (): Promise<string[]> =>
    (await readRuns(path)).map(({ runId, status }) => `${runId} ${status}`);
  assert.deepEqual(await statuses(), ["current running", "done completed", "killed interrupted"]);
  await journal.close();
  assert.deepEqual(await statuses(), ["current interrupted", "done completed", "killed interrupted"]);
  const [newest] = await readRuns(path);
  assert.deepEqual(newest?.startedAt, new Date("2026-01-02T03:04:05Z"));
});

test("reading leaves no file beside a journal that nobody has", async () => {
  const path = join(folder, "alone.db");
  const journal = await SQLiteJournal.open(path);
  await journal.keepRun(record("done", "completed"));
  await journal.close();
  const files = (): string[] => readdirSync(folder).filter((name) => name.startsWith("alone"));
  const before = files();
  assert.equal((await readRuns(path)).length, 1);
  assert.deepEqual(files(), before);
});

test("reading takes nothing from a run that begins, and makes no journal where there is none", async () => {
  const path = join(folder, "free.db");
  await (await SQLiteJournal.open(path)).close();
  const [, journal] = await Promise.all([readRuns(path), SQLiteJournal.open(path)]);
  await journal.close();
  await assert.rejects(readRuns(join(folder, "none.db")), { code: "JOURNAL_FAILED" });
  writeFileSync(join(folder, "text.db"), "no database".repeat(1000));
  await assert.rejects(readRuns(join(folder, "text.db")), { code: "JOURNAL_FAILED", message: /is damaged/ });
});
