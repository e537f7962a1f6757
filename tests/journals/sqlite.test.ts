import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { JournalSession, StoredAnswer } from "../../src/contracts/journal.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { answerOf } from "../../src/testing/journal-samples.ts";
import { failsWith } from "../support/error-facts.ts";
import { openJournal, readRuns, runRecord, writeJournal } from "../support/journal-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
let count = 0;
const newPath = (): string => join(folder, `${(count += 1)}`, "journal.db");
const fingerprint = "a".repeat(64);
const stored = answerOf("{}");
async function answerIn(journal: JournalSession, key: string): Promise<StoredAnswer | undefined> {
  return (await journal.answers.find([key])).get(key);
}

async function filled(): Promise<string> {
  const path = newPath();
  const journal = await openJournal(path);
  for (let index = 0; index < 500; index += 1) {
    await journal.answers.save(index.toString(16).padStart(64, "0"), { ...stored, text: "x".repeat(500) });
  }
  await journal.close();
  return path;
}

/** A journal that can't be opened, and the problem that the error names. */
async function assertProblem(path: string, problem: string, facts: ErrorFacts = {}): Promise<void> {
  const opened = openJournal(path).then(async (journal) => await journal.close());
  await assert.rejects(opened, failsWith("JOURNAL_FAILED", { where: path, problem, ...facts }));
}

test("the journal and the files beside it are for their owner only, and nothing of them is left at the end", async () => {
  const path = newPath();
  const journal = await openJournal(path);
  await journal.answers.save(fingerprint, stored);
  for (const file of [path, `${path}-wal`, `${path}-shm`]) assert.equal(statSync(file).mode & 0o777, 0o600, file);
  await journal.close();
  for (const file of [`${path}-wal`, `${path}-shm`, `${path}.new`]) assert.equal(existsSync(file), false, file);
});

test("a folder of journals that is made is kept out of version control", async () => {
  const path = join(folder, "project", ".llm-etl", "visits.db");
  await (await openJournal(path)).close();
  assert.equal(readFileSync(join(path, "..", ".gitignore"), "utf8"), "*\n");
});

test("a second run is told the first one's process and start", async () => {
  const path = newPath();
  const journal = await openJournal(path);
  await assert.rejects(openJournal(path), failsWith("JOURNAL_IN_USE", { where: path, holder: "another process" }));
  const startedAt = new Date("2026-01-02T03:04:05Z");
  await journal.runs.save(runRecord({ startedAt, status: "running", endedAt: null, processId: 4711, host: "etl-7" }));
  const holder = "process 4711 on etl-7, whose run started at 2026-01-02T03:04:05.000Z";
  await assert.rejects(openJournal(path), failsWith("JOURNAL_IN_USE", { where: path, holder }));
  await journal.close();
  await (await openJournal(path)).close();
});

test("a file that is no database, or another program's, is refused and left as it was", async () => {
  const path = newPath();
  mkdirSync(join(path, ".."));
  writeFileSync(path, "This is no database.".repeat(1000));
  await assertProblem(path, "damaged");
  assert.match(readFileSync(path, "utf8"), /^This is no database/);
  const foreign = join(folder, "foreign.db");
  const database = new DatabaseSync(foreign);
  database.exec("CREATE TABLE customers (id)");
  database.close();
  await assertProblem(foreign, "foreign");
});

test("a journal of a newer version is refused, with both versions", async () => {
  const path = await filled();
  const database = new DatabaseSync(path);
  database.exec("PRAGMA user_version = 8");
  database.close();
  await assertProblem(path, "newer", { version: 8, newest: 7 });
});

test("a journal that was cut off is refused, also at 0 bytes", async () => {
  for (const size of [0, 1, 50, 5000, 40_960]) {
    const path = await filled();
    truncateSync(path, size);
    await assertProblem(path, "damaged");
    assert.equal(statSync(path).size, size);
  }
});

test("pages overwritten in the middle are found when they are read: a clear error, not a wrong answer", async () => {
  const path = await filled();
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 8192, bytes.length);
  writeFileSync(path, bytes);
  const read = async (): Promise<void> => {
    const journal = await openJournal(path);
    try {
      for (let index = 0; index < 500; index += 1) await answerIn(journal, index.toString(16).padStart(64, "0"));
    } finally {
      await journal.close().catch(() => {}); // a damaged file may not let itself be closed in order
    }
  };
  await assert.rejects(read(), failsWith("JOURNAL_FAILED", { where: path, problem: "damaged" }));
});

test("the log that a removed journal left is not taken for the new one's", async () => {
  const path = newPath();
  const journal = await openJournal(path);
  await journal.answers.save(fingerprint, stored);
  const log = readFileSync(`${path}-wal`);
  await journal.close();
  const fresh = newPath();
  mkdirSync(join(fresh, ".."));
  writeFileSync(`${fresh}-wal`, log);
  const again = await openJournal(fresh);
  assert.equal(await answerIn(again, fingerprint), undefined);
  await again.close();
});

test("a folder that can't be made or written is refused, with what to do", async () => {
  const blocked = join(folder, "file");
  writeFileSync(blocked, "");
  await assertProblem(join(blocked, "journal.db"), "inaccessible");
});

test(
  "a read-only folder is refused",
  { skip: process.getuid?.() === 0 ? "root may write everywhere" : false },
  async () => {
    const path = await filled();
    chmodSync(join(path, ".."), 0o500);
    await assertProblem(path, "inaccessible");
    chmodSync(join(path, ".."), 0o700);
  },
);

test("what was saved is handed to the disk without being waited for", async (context) => {
  const path = newPath();
  const anyFile = await open(import.meta.filename);
  const told = Promise.withResolvers<void>();
  context.mock.method(Object.getPrototypeOf(anyFile), "datasync", async () => told.resolve());
  await anyFile.close();
  const journal = await openJournal(path);
  await journal.answers.save(fingerprint, stored);
  // The journal's own timer keeps no process alive.
  const deadline = setTimeout(() => told.reject(new Error("no datasync within a minute")), 60_000);
  await told.promise;
  clearTimeout(deadline);
  await journal.close();
});

/** Names, sizes and times of all files beside a path. */
function filesBeside(path: string): readonly string[] {
  const parent = join(path, "..");
  return readdirSync(parent).map((name) => {
    const { size, mtimeMs } = statSync(join(parent, name));
    return `${name} ${size} ${mtimeMs}`;
  });
}

test("a look changes no file, also through a link", async () => {
  const path = newPath();
  const last = runRecord();
  await writeJournal(path, [runRecord({ startedAt: new Date(0) }), last]);
  const link = join(folder, "link.db");
  symlinkSync(path, link);
  const before = filesBeside(path);
  for (const given of [path, link]) {
    const journal = new SQLiteJournal({ path: given });
    assert.equal(await journal.preflight(), true);
    const reader = await journal.reader();
    assert.equal((await reader?.runs.list({ limit: 1 }))?.items[0]?.runId, last.runId);
    assert.equal(await reader?.holder(), undefined);
  }
  assert.deepEqual(filesBeside(path), before);
});

test("where there is no journal a look makes none", async () => {
  const journal = new SQLiteJournal({ path: join(newPath(), "..", "new", "journal.db") });
  assert.equal(await journal.preflight(), false);
  assert.equal(await journal.reader(), undefined);
  assert.ok(!existsSync(join(journal.identity, "..")));
});

test("a look takes nothing from a run that begins", async () => {
  const path = newPath();
  await writeJournal(path, [runRecord()]);
  const [runs, journal] = await Promise.all([readRuns(path), openJournal(path)]);
  assert.equal(runs.length, 1);
  await journal.close();
});

test("what is no journal, is cut off, or lies where none can be, is rejected by a look as by a run", async () => {
  const path = newPath();
  mkdirSync(join(path, ".."));
  writeFileSync(path, "too short");
  const cutOff = { code: "JOURNAL_FAILED", message: /has 9 bytes: it is damaged/ };
  await assert.rejects(new SQLiteJournal({ path }).reader(), cutOff);
  writeFileSync(path, "no database".repeat(1000));
  await assert.rejects(new SQLiteJournal({ path }).reader(), { code: "JOURNAL_FAILED", message: /is damaged/ });
  const below = new SQLiteJournal({ path: join(path, "below.db") });
  const blocked = { code: "JOURNAL_FAILED", message: /can't be opened or written.*ENOTDIR/ };
  await assert.rejects(below.preflight(), blocked);
});

test(
  "a journal that can't be written is no journal for a run",
  { skip: process.getuid?.() === 0 ? "root may write everywhere" : false },
  async () => {
    const path = await filled();
    chmodSync(join(path, ".."), 0o500);
    const denied = { code: "JOURNAL_FAILED", message: /EACCES/ };
    await assert.rejects(new SQLiteJournal({ path }).preflight(), denied);
    chmodSync(join(path, ".."), 0o700);
  },
);

test("an unknown option, a missing path and a wrong one are rejected at construction", () => {
  const wrong = { code: "INVALID_OPTION" };
  assert.throws(() => new SQLiteJournal({ path: "" }), wrong);
  assert.throws(() => new SQLiteJournal({ path: new URL("https://example.org/j.db") }), wrong);
  assert.throws(() => new SQLiteJournal({ path: "a.db", mode: "rw" } as never), wrong);
  assert.equal(new SQLiteJournal({ path: new URL("file:///var/journals/a.db") }).identity, "/var/journals/a.db");
});

test("by another path, link or folder the same journal has one identity and one lock, also before it exists", async () => {
  const path = newPath();
  mkdirSync(join(path, ".."));
  symlinkSync(join(path, ".."), join(folder, "by-folder"));
  symlinkSync(path, join(folder, "by-link.db")); // to nothing yet
  const others = [join(folder, "by-folder", "journal.db"), join(folder, "by-link.db")];
  for (const other of others) assert.equal(new SQLiteJournal({ path: other }).identity, realpathOf(path));
  const journal = await openJournal(join(folder, "by-link.db"));
  for (const other of [path, ...others]) await assert.rejects(openJournal(other), failsWith("JOURNAL_IN_USE"));
  await journal.answers.save(fingerprint, stored);
  await journal.close();
  assert.ok(lstatSync(join(folder, "by-link.db")).isSymbolicLink());
  const again = await openJournal(path);
  assert.equal((await answerIn(again, fingerprint))?.text, stored.text);
  await again.close();
});

function realpathOf(path: string): string {
  return join(realpathSync(join(path, "..")), "journal.db");
}

test("a journal with two hard links is rejected, by run and check: each name would have a lock of its own", async () => {
  const path = await filled();
  linkSync(path, `${path}.other`);
  for (const one of [path, `${path}.other`]) {
    await assertProblem(one, "linked", { names: 2 });
    const look = new SQLiteJournal({ path: one }).preflight();
    await assert.rejects(look, failsWith("JOURNAL_FAILED", { problem: "linked" }));
  }
  rmSync(`${path}.other`);
  await (await openJournal(path)).close();
});

test("a journal that others can read is made its owner's alone", { skip: process.platform === "win32" }, async () => {
  const path = await filled();
  chmodSync(path, 0o644);
  const journal = await openJournal(path);
  await journal.answers.save(fingerprint, stored);
  for (const file of [path, `${path}-wal`, `${path}-shm`]) assert.equal(statSync(file).mode & 0o777, 0o600, file);
  await journal.close();
});

for (const ending of ["", "-wal"]) {
  test(`nothing is kept in a journal whose file *${ending} was deleted or replaced, and whoever saves is told`, async () => {
    for (const problem of ["was deleted", "was replaced by another file"]) {
      const path = await filled();
      const journal = await openJournal(path);
      await journal.answers.save(fingerprint, stored);
      renameSync(`${path}${ending}`, `${path}.away`);
      if (problem !== "was deleted") copyFileSync(`${path}.away`, `${path}${ending}`);
      const saving = journal.answers.save("b".repeat(64), stored);
      await assert.rejects(saving, failsWith("JOURNAL_FAILED", { where: path, file: `${path}${ending}`, problem }));
      await journal.close();
    }
  });
}

test("what another program's transaction keeps from being saved is saved after it, and the event loop goes on", async () => {
  const path = await filled();
  const journal = await openJournal(path);
  await answerIn(journal, fingerprint); // has begun to read
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE; PRAGMA user_version = 4");
  let isSaved = false;
  const saving = Promise.all([
    journal.answers.save(fingerprint, stored),
    journal.answers.save("b".repeat(64), stored),
  ]).then(() => (isSaved = true));
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(isSaved, false);
  other.exec("COMMIT");
  other.close();
  await saving;
  assert.equal((await answerIn(journal, fingerprint))?.text, stored.text);
  await journal.close();
});

test("a journal that another program has locked is opened after it, and not where that takes too long", async () => {
  const path = await filled();
  const other = new DatabaseSync(path);
  other.exec("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
  await assert.rejects(openJournal(path, { busyTimeoutMs: 20 }), failsWith("JOURNAL_FAILED", { problem: "locked" }));
  let isOpen = false;
  const opening = openJournal(path).then((journal) => {
    isOpen = true;
    return journal;
  });
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(isOpen, false);
  other.exec("COMMIT");
  other.close();
  await (await opening).close();
});

test("a lock file that is none says so: the journal itself is not damaged", async () => {
  const path = await filled();
  writeFileSync(`${path}.lock`, "no database".repeat(100));
  await assertProblem(path, "unlockable", { code: "LOCK_DAMAGED" });
  rmSync(`${path}.lock`);
  await (await openJournal(path)).close();
});

test("a worker is denied a journal of one process before anything of it is made, with what to use", async () => {
  const path = newPath();
  const { signal } = new AbortController();
  const opening = new SQLiteJournal({ path }).open({ ...runRecord(), role: "worker" }, signal);
  await assert.rejects(opening, failsWith("JOURNAL_FAILED", { where: path, problem: "workers" }));
  assert.equal(existsSync(join(path, "..")), false);
  const session = await new SQLiteJournal({ path }).open({ ...runRecord(), role: "run" }, signal);
  await session.close();
});
