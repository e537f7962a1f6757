import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { journalContract } from "../../src/testing/journal-contract.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
let count = 0;
const newPath = (): string => join(folder, `${(count += 1)}`, "journal.db");
const fingerprint = "a".repeat(64);
const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1, reasoningTokens: 0 };
const stored = { text: "{}", finishReason: "stop", model: "mock", usage, runId: "run-1" } as const;

for (const { name, check } of journalContract({
  create: async () => {
    const path = newPath();
    return { open: async () => await SQLiteJournal.open(path) };
  },
})) {
  test(name, check);
}

async function filled(): Promise<string> {
  const path = newPath();
  const journal = await SQLiteJournal.open(path);
  for (let index = 0; index < 500; index += 1) {
    await journal.keepAnswer(index.toString(16).padStart(64, "0"), { ...stored, text: "x".repeat(500) });
  }
  await journal.close();
  return path;
}

async function refusal(path: string): Promise<{ code: string; message: string }> {
  try {
    await (await SQLiteJournal.open(path)).close();
  } catch (error) {
    assert.ok(error instanceof Error && "code" in error);
    return { code: String(error.code), message: error.message };
  }
  return assert.fail("it was opened");
}

test("the journal and the files beside it are for their owner only, and nothing of them is left at the end", async () => {
  const path = newPath();
  const journal = await SQLiteJournal.open(path);
  await journal.keepAnswer(fingerprint, stored);
  for (const file of [path, `${path}-wal`, `${path}-shm`]) assert.equal(statSync(file).mode & 0o777, 0o600, file);
  await journal.close();
  for (const file of [`${path}-wal`, `${path}-shm`, `${path}.new`]) assert.equal(existsSync(file), false, file);
});

test("a folder of journals that is made is kept out of version control", async () => {
  const path = join(folder, "project", ".llm-etl", "visits.db");
  await (await SQLiteJournal.open(path)).close();
  assert.equal(readFileSync(join(path, "..", ".gitignore"), "utf8"), "*\n");
});

test("a second run is refused, and told the first one's process and start", async () => {
  const path = newPath();
  const journal = await SQLiteJournal.open(path);
  assert.match((await refusal(path)).message, /in use by another process/);
  const startedAt = new Date("2026-01-02T03:04:05Z");
  await journal.keepRun({
    ...{
      runId: "run-1",
      pipeline: "visits",
      kind: "run",
      sink: "memory",
      startedAt,
      endedAt: null,
      status: "running",
      error: null,
    },
    ...{ exitCode: null, processId: 4711, host: "etl-7" },
    figures: {
      ...{ readCount: 0, successCount: 0, failureCount: 0, skippedCount: 0, unchangedCount: 0, pendingCount: 0 },
      ...{ failuresByCode: {}, cost: null, savedCost: null, durationMs: 0 },
      usage: {
        ...{ calls: 0, reAsks: 0, inputTokens: 0, cachedTokens: 0, outputTokens: 0 },
        ...{ reusedAnswers: 0, savedInputTokens: 0, savedOutputTokens: 0 },
      },
    },
  });
  const { code, message } = await refusal(path);
  assert.equal(code, "JOURNAL_IN_USE");
  assert.match(message, /process 4711 on etl-7, whose run started at 2026-01-02T03:04:05\.000Z; wait until/);
  await journal.close();
  await (await SQLiteJournal.open(path)).close();
});

test("the lock and all that was kept outlive a process that is killed", async () => {
  const path = newPath();
  const module = pathToFileURL(join(import.meta.dirname, "../../src/journals/sqlite.ts")).href;
  const script = `
    const { SQLiteJournal } = await import(${JSON.stringify(module)});
    const journal = await SQLiteJournal.open(${JSON.stringify(path)});
    await journal.keepAnswer("${fingerprint}", ${JSON.stringify(stored)});
    console.log("kept");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  assert.equal((await refusal(path)).code, "JOURNAL_IN_USE");
  child.kill("SIGKILL");
  await once(child, "exit");
  const journal = await SQLiteJournal.open(path);
  assert.deepEqual(await journal.answer(fingerprint), stored);
  await journal.close();
});

test("a file that is no database, or another program's, is refused and left as it was", async () => {
  const path = newPath();
  mkdirSync(join(path, ".."));
  writeFileSync(path, "This is no database.".repeat(1000));
  const text = await refusal(path);
  assert.equal(text.code, "JOURNAL_FAILED");
  assert.match(text.message, /is damaged: restore a copy, or move it away/);
  assert.match(readFileSync(path, "utf8"), /^This is no database/);
  const foreign = join(folder, "foreign.db");
  const database = new DatabaseSync(foreign);
  database.exec("CREATE TABLE customers (id)");
  database.close();
  assert.match((await refusal(foreign)).message, /some other SQLite database: set journalPath/);
});

test("a journal of a newer version is refused, with both versions", async () => {
  const path = await filled();
  const database = new DatabaseSync(path);
  database.exec("PRAGMA user_version = 7");
  database.close();
  assert.match((await refusal(path)).message, /has version 7 of its format, and this llm-etl knows up to 1: update/);
});

test("a journal that was cut off is refused, also at 0 bytes", async () => {
  for (const size of [0, 1, 50, 5000, 40_960]) {
    const path = await filled();
    truncateSync(path, size);
    const { code, message } = await refusal(path);
    assert.equal(code, "JOURNAL_FAILED");
    assert.match(message, /is damaged: restore a copy, or move it away/, `${size} bytes`);
    assert.equal(statSync(path).size, size);
  }
});

test("pages overwritten in the middle are found when they are read: a clear error, not a wrong answer", async () => {
  const path = await filled();
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 8192, bytes.length);
  writeFileSync(path, bytes);
  const read = async (): Promise<void> => {
    const journal = await SQLiteJournal.open(path);
    try {
      for (let index = 0; index < 500; index += 1) await journal.answer(index.toString(16).padStart(64, "0"));
    } finally {
      await journal.close().catch(() => {}); // a damaged file may not let itself be closed in order
    }
  };
  await assert.rejects(read(), { code: "JOURNAL_FAILED", message: /is damaged: restore a copy, or move it away/ });
});

test("the log that a removed journal left is not taken for the new one's", async () => {
  const path = newPath();
  const journal = await SQLiteJournal.open(path);
  await journal.keepAnswer(fingerprint, stored);
  const log = readFileSync(`${path}-wal`);
  await journal.close();
  const fresh = newPath();
  mkdirSync(join(fresh, ".."));
  writeFileSync(`${fresh}-wal`, log);
  const again = await SQLiteJournal.open(fresh);
  assert.equal(await again.answer(fingerprint), undefined);
  await again.close();
});

test("a folder that can't be made or written is refused, with what to do", async () => {
  const blocked = join(folder, "file");
  writeFileSync(blocked, "");
  const { code, message } = await refusal(join(blocked, "journal.db"));
  assert.equal(code, "JOURNAL_FAILED");
  assert.match(message, /check who may write to it and to its folder, or set journalPath, or journal: "off"/);
});

test(
  "a read-only folder is refused",
  { skip: process.getuid?.() === 0 ? "root may write everywhere" : false },
  async () => {
    const path = await filled();
    chmodSync(join(path, ".."), 0o500);
    assert.match((await refusal(path)).message, /check who may write/);
    chmodSync(join(path, ".."), 0o700);
  },
);

test("a write that fails rejects with what to do, and what was kept before is still there", async () => {
  const path = newPath();
  const module = pathToFileURL(join(import.meta.dirname, "../../src/journals/sqlite.ts")).href;
  // A process may be given a largest size of its files: to SQLite that is a disk that takes no more.
  const script = `
    const { SQLiteJournal } = await import(${JSON.stringify(module)});
    const journal = await SQLiteJournal.open(${JSON.stringify(path)});
    let kept = 0;
    try {
      for (; kept < 5000; kept += 1) {
        await journal.keepAnswer(kept.toString(16).padStart(64, "0"), { ...${JSON.stringify(stored)}, text: "x".repeat(500) });
      }
    } catch (error) {
      console.log(JSON.stringify({ kept, code: error.code, message: error.message }));
    }
    process.exit(0);`;
  const child = spawn("sh", ["-c", 'ulimit -f 6000; exec "$0" --input-type=module -e "$1"', process.execPath, script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [output] = await once(child.stdout, "data");
  await once(child, "exit");
  const { kept, code, message } = JSON.parse(String(output));
  assert.equal(code, "JOURNAL_FAILED");
  assert.match(message, /is the disk full\? Free space and run again: all that was kept before is still there/);
  assert.ok(kept > 100);
  const journal = await SQLiteJournal.open(path);
  for (let index = 0; index < kept; index += 1) {
    assert.ok(await journal.answer(index.toString(16).padStart(64, "0")), `answer ${index}`);
  }
  await journal.close();
});
