// Full lane: files are mounted by a command. Needs no dist.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test, type TestContext } from "node:test";
import { Pipeline, type SinkState } from "../../src/index.ts";
import { DeadLetterFile } from "../../src/dead-letter/file.ts";
import { LinesFile } from "../../src/files/lines-file.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

type State = SinkState<{ id: string }>;

const columnMap = { id: (state: State) => state.pk };

const mounted: string[] = [];
after(() => mounted.forEach((path) => spawnSync("umount", [path]))); // before the folder around them is removed
const root = temporaryFolder();

/** The path of a file that is mounted alone, as containers mount files; undefined where this process may mount none. */
function mountedFile(t: TestContext, content: string): string | undefined {
  const folder = mkdtempSync(join(root, "case "));
  mkdirSync(join(folder, "in container"));
  const [outside, inside] = [join(folder, "file"), join(folder, "in container", "file")];
  writeFileSync(outside, content);
  writeFileSync(inside, "");
  if (spawnSync("mount", ["--bind", outside, inside]).status !== 0) {
    t.skip("no file can be mounted here");
    return undefined;
  }
  mounted.push(inside);
  return inside;
}

function source(): MemorySource<{ id: string }> {
  return new MemorySource({ rows: [{ id: "1" }], primaryKeyColumn: "id" });
}

test("a target that is mounted alone is rejected by run and check: nothing can be put in its place", async (t) => {
  const filePath = mountedFile(t, "id\n1\n2\n");
  if (filePath === undefined) return;
  const options = { name: "p", source: source(), llmProvider: new MockProvider(), payloadLog: "off" } as const;
  const pipeline = new Pipeline<{ id: string }>({ ...options, journal: "off" }).to(
    new CSVSink({ filePath, columnMap }),
  );
  assert.equal((await pipeline.check()).wouldRun, false);
  await assert.rejects(pipeline.run(), failsWith("SINK_FAILED", { where: filePath, code: "EBUSY" }));
  assert.equal(readFileSync(filePath, "utf8"), "id\n1\n2\n");
});

test("so is a journal: its log and its lock would stand beside another file", async (t) => {
  const path = mountedFile(t, "");
  if (path === undefined) return;
  const journal = new SQLiteJournal({ path });
  await assert.rejects(journal.preflight(), failsWith("JOURNAL_FAILED", { problem: "mounted" }));
  const options = { name: "p", source: source(), llmProvider: new MockProvider(), payloadLog: "off", journal } as const;
  const pipeline = new Pipeline<{ id: string }>(options).to(new MemorySink({ columnMap }));
  await assert.rejects(pipeline.run(), failsWith("JOURNAL_FAILED", { problem: "mounted" }));
});

test("so is a SQLite target, whose log would be lost with the container, though the journal has its rows as written", async (t) => {
  const databasePath = mountedFile(t, "");
  if (databasePath === undefined) return;
  const database = new DatabaseSync(databasePath);
  database.exec("CREATE TABLE t (id TEXT PRIMARY KEY)");
  database.close();
  const sink = new SQLiteSink({ databasePath, targetTable: "t", mergeKeys: ["id"], columnMap });
  const options = { name: "p", source: source(), llmProvider: new MockProvider(), payloadLog: "off" } as const;
  const pipeline = new Pipeline<{ id: string }>({ ...options, journal: "off" }).to(sink);
  assert.equal((await pipeline.check()).wouldRun, false);
  await assert.rejects(pipeline.run(), failsWith("SINK_FAILED", { problem: "mounted" }));
});

test("lines are appended to a file that is mounted alone, however large it is: it can't be renamed", async (t) => {
  const path = mountedFile(t, "");
  if (path === undefined) return;
  const file = await LinesFile.open(path, { durable: false, maxBytes: 5 });
  for (const line of ["first line", "second line", "third"]) await file.append(line);
  await file.close();
  assert.equal(readFileSync(path, "utf8"), "first line\nsecond line\nthird\n");
});

test("dead letters that are mounted alone are appended to; no row leaves them, and they are not replayed", async (t) => {
  const path = mountedFile(t, "");
  if (path === undefined) return;
  let isRejected = true;
  const sink = new MemorySink<State, "id">({ columnMap, reject: () => (isRejected ? "no" : undefined) });
  const options = { name: "p", source: source(), llmProvider: new MockProvider(), payloadLog: "off" } as const;
  const pipeline = new Pipeline<{ id: string }>({
    ...options,
    journal: new SQLiteJournal({ path: join(mkdtempSync(join(root, "journal ")), "j.db") }),
    onRowError: "dead_letter",
    deadLetter: new DeadLetterFile({ path }),
  }).to(sink);
  assert.equal((await pipeline.run()).exitCode, 1);
  isRejected = false;
  await assert.rejects(pipeline.replay(), failsWith("DEAD_LETTER_UNREADABLE", { kind: "mounted" }));
  assert.equal((await pipeline.run()).exitCode, 0);
  assert.equal(readFileSync(path, "utf8").split("\n").length, 2);
});
