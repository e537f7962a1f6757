import assert from "node:assert/strict";
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { Pipeline } from "../../src/builder/pipeline.ts";
import type { PipelineOptions } from "../../src/pipeline/options.ts";
import type { Sink } from "../../src/contracts/sink.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { CSVSource } from "../../src/sources/csv.ts";
import { SQLiteSource } from "../../src/sources/sqlite.ts";
import { DeadLetterFile } from "../../src/dead-letter/file.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const root = temporaryFolder();
const columnMap = { id: (state: { pk: string }) => state.pk };
const rows = "id,text\n1,a\n2,b\n";

/** A folder of its own with a source, `in.csv`, and a link to that folder, `<folder> link`. */
function newFolder(): { folder: string; linked: string } {
  const folder = join(root, `case ${readdirSync(root).length}`);
  mkdirSync(folder);
  writeFileSync(join(folder, "in.csv"), rows);
  symlinkSync(folder, `${folder} link`);
  return { folder, linked: `${folder} link` };
}

interface Given extends Partial<Omit<PipelineOptions<Record<string, string>>, "source">> {
  readonly source?: PipelineOptions<Record<string, string>>["source"];
  readonly to?: Sink<{ pk: string }>;
  readonly limit?: number;
}

function pipelineOf(folder: string, { to, ...options }: Omit<Given, "limit">) {
  return new Pipeline<Record<string, string>>({
    name: "p",
    source: new CSVSource({ filePath: join(folder, "in.csv"), primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    journal: "off",
    payloadLog: "off",
    ...options,
  }).to(to ?? new MemorySink({ columnMap }));
}

/** The files of a folder; without those that SQLite makes to read a database in WAL. */
function contentsOf(folder: string): Record<string, string> {
  const names = readdirSync(folder).filter((name) => !/-(wal|shm)$/.test(name));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), "latin1")]));
}

/** Checks that neither `run` nor `check` lets it pass, and that nothing in the folder is touched. */
async function isRejected(folder: string, { limit, ...given }: Given, option: string, other: string): Promise<void> {
  const before = contentsOf(folder);
  const pipeline = pipelineOf(folder, given);
  await assert.rejects(pipeline.run({ limit }), failsWith("INVALID_OPTION", { where: option, other }));
  if (option !== "deadLetterPath") {
    await assert.rejects(pipeline.preview({ rows: limit }), failsWith("INVALID_OPTION", { where: option, other })); // it keeps no dead letters
  }
  if (limit === undefined) {
    const { findings, wouldRun } = await pipeline.check();
    const found = findings.find(({ subject }) => subject === "files of the run");
    assert.equal(wouldRun, false);
    assert.equal(found?.status, "problem");
    assert.equal(found.facts?.where, option);
  }
  assert.deepEqual(contentsOf(folder), before);
}

const csv = (filePath: string): CSVSink<{ pk: string }> => new CSVSink({ filePath, columnMap });
const deadLetters = (path: string): Given => ({ onRowError: "dead_letter", deadLetter: new DeadLetterFile({ path }) });

test("a sink on the file of its source is rejected, by whatever path", async () => {
  const { folder, linked } = newFolder();
  symlinkSync("in.csv", join(folder, "soft.csv"));
  linkSync(join(folder, "in.csv"), join(folder, "hard.csv"));
  for (const path of [
    join(folder, "in.csv"),
    join(linked, "in.csv"),
    join(folder, "soft.csv"),
    join(folder, "hard.csv"),
    join(folder, ".", "x", "..", "in.csv"),
  ]) {
    await isRejected(folder, { to: csv(path) }, "to", "source");
  }
});

test("so is a sink whose other files are the source: what it renames from, its lock, the file of a limit", async () => {
  for (const ending of [".partial", ".partial.lock"]) {
    const { folder, linked } = newFolder();
    const source = new CSVSource({ filePath: join(folder, `out.csv${ending}`), primaryKeyColumn: "id" });
    await isRejected(folder, { source, to: csv(join(linked, "out.csv")) }, "to", "source");
  }
  const { folder } = newFolder();
  const filePath = join(folder, "out.csv.limit-1.csv");
  writeFileSync(filePath, rows);
  const source = new CSVSource({ filePath, primaryKeyColumn: "id" });
  await isRejected(folder, { source, to: csv(join(folder, "out.csv")), limit: 1 }, "to", "source");
});

test("dead letters and payload log that are the source, the target or what that is renamed from", async () => {
  const { folder, linked } = newFolder();
  const to = csv(join(folder, "out.csv")); // does not exist
  await isRejected(folder, deadLetters(join(linked, "in.csv")), "deadLetterPath", "source");
  await isRejected(folder, { to, ...deadLetters(join(linked, "out.csv")) }, "deadLetterPath", "to");
  await isRejected(folder, { to, ...deadLetters(join(linked, "out.csv.partial")) }, "deadLetterPath", "to");
  const log = (payloadLogPath: string): Given => ({ payloadLog: "full", payloadLogPath });
  await isRejected(folder, log(join(linked, "in.csv")), "payloadLogPath", "source");
  await isRejected(folder, { to, ...log(join(linked, "out.csv")) }, "payloadLogPath", "to");
  symlinkSync("not-yet.csv", join(folder, "to-nothing"));
  const ahead = csv(join(folder, "not-yet.csv"));
  const pipeline = pipelineOf(folder, { to: ahead, ...deadLetters(join(folder, "to-nothing")) });
  await assert.rejects(pipeline.run(), failsWith("INVALID_OPTION", { where: "deadLetterPath", other: "to" }));
  // Options of the pipeline alone are compared when it is made.
  for (const [one, other] of [
    ["l.jsonl", "l.jsonl"],
    ["d.jsonl.partial", "d.jsonl"],
    ["d.jsonl.lock", "d.jsonl"],
  ] as const) {
    const given = { ...log(join(folder, one)), ...deadLetters(join(linked, other)) };
    assert.throws(() => pipelineOf(folder, given), failsWith("INVALID_OPTION", { where: "deadLetter" }));
  }
});

test("a journal that is the target, by whatever path, and the dead letters of a replay", async () => {
  const { folder, linked } = newFolder();
  const journal = new SQLiteJournal({ path: join(linked, "out.csv") });
  await isRejected(folder, { to: csv(join(folder, "out.csv")), journal }, "journal", "to");
  for (const ending of ["-wal", ".lock", ".new"]) {
    const path = join(folder, "other.db");
    const to = csv(join(linked, `other.db${ending}`));
    await isRejected(folder, { to, journal: new SQLiteJournal({ path }) }, "journal", "to");
  }
  const pipeline = pipelineOf(folder, { journal: new SQLiteJournal({ path: join(folder, "j.db") }) });
  await assert.rejects(pipeline.replay({ path: join(linked, "in.csv") }), failsWith("INVALID_OPTION"));
  assert.ok(!existsSync(join(folder, "j.db")));
});

test("source and sink may share a database; no other part may have it, nor the file of the statement", async () => {
  const { folder, linked } = newFolder();
  const path = join(folder, "d.db");
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE t (id TEXT PRIMARY KEY) STRICT; INSERT INTO t VALUES ('1')");
  database.close();
  const sqlFile = join(folder, "q.sql");
  writeFileSync(sqlFile, "SELECT id FROM t");
  const source = new SQLiteSource<Record<string, string>>({ databasePath: path, sqlFile, primaryKeyColumn: "id" });
  const to = new SQLiteSink<{ pk: string }>({
    databasePath: join(linked, "d.db"),
    targetTable: "t",
    mergeKeys: ["id"],
    columnMap,
  });
  const { successCount, exitCode } = await pipelineOf(folder, { source, to }).run();
  assert.deepEqual({ successCount, exitCode }, { successCount: 1, exitCode: 0 });
  await isRejected(folder, { source, ...deadLetters(join(linked, "q.sql")) }, "deadLetterPath", "source");
  await isRejected(folder, { source, to: csv(join(linked, "q.sql")) }, "to", "source");
  await isRejected(folder, { source, to: csv(join(linked, "d.db")) }, "to", "source");
  await isRejected(folder, { to, ...deadLetters(join(linked, "d.db-wal")) }, "deadLetterPath", "to");
  await isRejected(folder, { to, journal: new SQLiteJournal({ path }) }, "journal", "to");
});

test("a device is no file that two could spoil", { skip: process.platform === "win32" }, async () => {
  const { folder } = newFolder();
  symlinkSync("/dev/null", join(folder, "null"));
  const log = { payloadLog: "full" as const, payloadLogPath: "/dev/null" };
  const { exitCode } = await pipelineOf(folder, { ...log, ...deadLetters(join(folder, "null")) }).run();
  assert.equal(exitCode, 0);
});
