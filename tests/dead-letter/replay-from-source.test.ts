import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { ClassifierStep, Pipeline, ProviderError, type SinkState, type Source } from "../../src/index.ts";
import type { SourceRow } from "../../src/contracts/source.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { CSVSource } from "../../src/sources/csv.ts";
import { SQLiteSource } from "../../src/sources/sqlite.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";
import { readLines } from "../support/run-rows.ts";
import { execute } from "../support/sqlite.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { withoutFind } from "../support/without-find.ts";

type Row = Readonly<Record<"id" | "note", string>>;
type State = SinkState<Row>;

const folder = temporaryFolder();

/** A pipeline over any source, whose model declines every note with BAD in it; and the notes that it was asked about. */
function newSite(columns: Readonly<Record<string, (state: State) => unknown>> = {}) {
  const own = mkdtempSync(join(folder, "site "));
  const path = join(own, "failed.jsonl");
  const asked: string[] = [];
  const sink = new MemorySink({
    columnMap: { id: (s: State) => s.pk, note: (s: State) => s.raw.note, ...columns },
    mergeKeys: ["id"],
  });
  const llmProvider = new MockProvider({
    responses: ({ messages }) => {
      const note = /Note \w+: \w+/.exec(messages.at(-1)?.content ?? "")?.[0] ?? "";
      asked.push(note);
      return note.endsWith("BAD") ? new ProviderError("row", "CONTENT_FILTER", "declined") : undefined;
    },
  });
  const pipeline = (source: Source<Row>) =>
    new Pipeline<Row>({
      name: "notes",
      source,
      llmProvider,
      concurrency: 1,
      onRowError: "dead_letter",
      deadLetterPath: path,
      payloadLog: "off",
      journalPath: join(own, "journal.db"),
    })
      .step(
        new ClassifierStep({
          name: "kind",
          taxonomy: [{ name: "Only", definition: "everything" }],
          inputMap: { text: (s) => s.raw.note },
          outputKey: "kind",
        }),
      )
      .to(sink);
  return { own, path, asked, sink, pipeline };
}

const bad: readonly Row[] = ["a", "b", "c"].map((id) => ({ id, note: `Note ${id}: BAD` }));
const inMemory = (rows: readonly Row[]) => new MemorySource<Row>({ rows, primaryKeyColumn: "id" });
const keysIn = (path: string): unknown[] => readLines(path).map(({ pk }) => pk);

test("a row that was corrected at its source is replayed as it is there now", async () => {
  const { path, asked, sink, pipeline } = newSite();
  await pipeline(inMemory(bad)).run();
  asked.length = 0;
  const mended = bad.map((row) => (row.id === "b" ? { ...row, note: "Note b: fine" } : row));
  const report = await pipeline(inMemory(mended)).replay();
  assert.deepEqual([report.readCount, report.successCount, report.failureCount], [3, 1, 2]);
  assert.deepEqual([report.asInSourceCount, report.asFailedCount, report.notInSourceCount], [3, 0, 0]);
  assert.deepEqual(sink.rows, [{ id: "b", note: "Note b: fine" }]);
  assert.deepEqual(keysIn(path), ["a", "c"]);
});

test("a row that the source no longer gives is not asked about, stays in the file as it is, and is counted apart", async () => {
  const { path, asked, pipeline } = newSite();
  await pipeline(inMemory(bad)).run();
  const [lineOfA] = readFileSync(path, "utf8").split("\n");
  asked.length = 0;
  const rest = bad.slice(1).map((row) => ({ ...row, note: `Note ${row.id}: fine` }));
  const report = await pipeline(inMemory(rest)).replay();
  assert.deepEqual([report.readCount, report.successCount, report.exitCode], [2, 2, 0]);
  assert.deepEqual([report.asInSourceCount, report.notInSourceCount, report.remainingCount], [2, 1, 1]);
  assert.deepEqual(asked.toSorted(), ["Note b: fine", "Note c: fine"]);
  assert.equal(readFileSync(path, "utf8"), `${lineOfA}\n`);
  const again = await pipeline(inMemory(bad)).replay();
  assert.deepEqual([again.readCount, again.notInSourceCount], [1, 0]);
});

test("a source that can't find rows, or not by these keys, has them replayed as they failed", async () => {
  const cannot: readonly ((source: Source<Row>) => Source<Row>)[] = [
    (source) => withoutFind(source),
    (source) => ({ ...source, find: async () => await Promise.resolve(undefined) }),
  ];
  for (const change of cannot) {
    const { asked, pipeline } = newSite();
    await pipeline(inMemory(bad)).run();
    asked.length = 0;
    const report = await pipeline(change(inMemory([]))).replay();
    assert.deepEqual([report.asInSourceCount, report.asFailedCount, report.notInSourceCount], [0, 3, 0]);
    assert.deepEqual(asked, ["Note a: BAD", "Note b: BAD", "Note c: BAD"]);
  }
});

test("rows are found by the key that the source has, which its schema may change or make", async () => {
  const { path, sink, pipeline } = newSite();
  const trimmed = z.object({ id: z.string().transform((id) => id.trim()), note: z.string() });
  const withKey = (note: string) =>
    new MemorySource<Row>({ rows: [{ id: " a ", note }], primaryKeyColumn: "id", schema: trimmed });
  await pipeline(withKey("Note a: BAD")).run();
  assert.deepEqual(keysIn(path), ["a"]);
  const found = await pipeline(withKey("Note a: fine")).replay();
  assert.deepEqual([found.asInSourceCount, found.remainingCount], [1, 0]);
  assert.deepEqual(sink.rows, [{ id: "a", note: "Note a: fine" }]);

  const made = z.object({ note: z.string() }).transform(({ note }) => ({ id: note.slice(5, 6), note }));
  const without = new MemorySource<Row>({ rows: [{ note: "Note x: BAD" }], primaryKeyColumn: "id", schema: made });
  await pipeline(without).run();
  const report = await pipeline(without).replay();
  assert.deepEqual([report.asInSourceCount, report.asFailedCount, report.failureCount], [0, 1, 1]);
});

test("failures of one row under its key before the schema and after it are one row of the source", async () => {
  const { path, pipeline } = newSite();
  let isStrict = true;
  const schema = z.object({ id: z.string(), note: z.string() }).transform(({ id, note }, context) => {
    if (isStrict) context.addIssue({ code: "custom", message: "no" });
    return { id: id.trim(), note };
  });
  const source = (note: string) =>
    new MemorySource<Row>({ rows: [{ id: " a ", note }], primaryKeyColumn: "id", schema });
  await pipeline(source("Note a: BAD")).run();
  isStrict = false;
  await pipeline(source("Note a: BAD")).run();
  assert.deepEqual(new Set(keysIn(path)), new Set([" a ", "a"]));
  const report = await pipeline(source("Note a: fine")).replay();
  assert.deepEqual([report.readCount, report.successCount, report.remainingCount], [1, 1, 0]);
});

test("a field that the replayed row lacks and others have is no mistake", async () => {
  const site = newSite({
    lang: (s) => ("lang" in s.raw ? s.raw.lang : null),
    length: (s) => Object(s.raw).lang?.length,
  });
  const rows = [
    { id: "a", note: "Note a: good", lang: "de" },
    { id: "b", note: "Note b: BAD" },
  ];
  assert.equal((await site.pipeline(inMemory(rows)).run()).failureCount, 1);
  const { readCount, failureCount } = await site.pipeline(inMemory(rows)).replay();
  assert.deepEqual([readCount, failureCount], [1, 1]);
});

test("a row that could not be kept whole is replayed from the source", async () => {
  const { path, pipeline } = newSite();
  await pipeline(inMemory(bad.slice(0, 1))).run();
  writeFileSync(path, readFileSync(path, "utf8").replace('"Note a: BAD"', '{"$unencodable":"RangeError"}'));
  const report = await pipeline(inMemory([{ id: "a", note: "Note a: fine" }])).replay();
  assert.deepEqual([report.successCount, report.remainingCount, report.notReplayable], [1, 0, []]);
});

test("a file is read once for all rows, and a database is asked with the statement's parameters", async () => {
  const { own, sink, pipeline } = newSite();
  const csv = join(own, "notes.csv");
  const write = (word: string): void => writeFileSync(csv, `id,note\na,Note a: ${word}\nb,Note b: ${word}\n`);
  write("BAD");
  const source = new CSVSource<Row>({ filePath: csv, primaryKeyColumn: "id" });
  await pipeline(source).run();
  write("fine");
  let reads = 0;
  const counted: Source<Row> = {
    ...source,
    find: async (pks, context) => {
      reads += 1;
      return await source.find(pks, context);
    },
  };
  assert.equal((await pipeline(counted).replay()).successCount, 2);
  assert.equal(reads, 1);

  const databasePath = join(own, "notes.db");
  execute(databasePath, "CREATE TABLE notes (id TEXT, note TEXT, day TEXT)");
  execute(databasePath, "INSERT INTO notes VALUES ('x', 'Note x: BAD', 'today'), ('y', 'Note y: BAD', 'today')");
  const sql = "SELECT id, note FROM notes WHERE day = @day ORDER BY id; -- those of a day";
  const database = new SQLiteSource<Row>({ databasePath, sql, primaryKeyColumn: "id" });
  const parameters = { day: "today" };
  await pipeline(database).run({ parameters });
  execute(
    databasePath,
    "UPDATE notes SET note = 'Note ' || id || ': fine'; UPDATE notes SET day = 'past' WHERE id = 'x'",
  );
  const { error } = await pipeline(database).replay();
  assert.deepEqual([error?.code, error?.facts["parameter"]], ["SOURCE_FAILED", "day"]);
  const report = await pipeline(database).replay({ parameters });
  assert.deepEqual([report.asInSourceCount, report.notInSourceCount, report.remainingCount], [1, 1, 1]);
  assert.deepEqual(sink.rows.at(-1), { id: "y", note: "Note y: fine" });
});

test("a source that fails ends the replay, and every row stays", async () => {
  const { path, asked, pipeline } = newSite();
  await pipeline(inMemory(bad)).run();
  const before = readFileSync(path, "utf8");
  asked.length = 0;
  const missing = new CSVSource<Row>({
    filePath: join(folder, "none.csv"),
    primaryKeyColumn: "id",
  });
  const report = await pipeline(missing).replay();
  assert.deepEqual([report.error?.code, report.exitCode, report.remainingCount], ["SOURCE_FAILED", 2, 3]);
  assert.deepEqual([readFileSync(path, "utf8"), asked], [before, []]);
});

test("a replay that is stopped says of no row that it is gone", async () => {
  const { pipeline } = newSite();
  await pipeline(inMemory(bad)).run();
  const stop = new AbortController();
  const slow: Source<Row> = {
    ...inMemory(bad),
    find: async (_pks, { signal }) =>
      await Promise.resolve(
        (async function* (): AsyncGenerator<SourceRow> {
          yield { position: 1, raw: { id: "a", note: "Note a: fine" } };
          stop.abort();
          await new Promise((resolve) => setImmediate(resolve));
          if (signal.aborted) return;
          yield { position: 2, raw: { id: "b", note: "Note b: fine" } };
        })(),
      ),
  };
  const report = await pipeline(slow).replay({ signal: stop.signal });
  assert.deepEqual([report.status, report.notInSourceCount], ["aborted", 0]);
});

test("parameters need a source that is asked; a pipeline knows if it can replay", async () => {
  const { own, pipeline } = newSite();
  await pipeline(inMemory(bad)).run();
  await assert.rejects(
    pipeline(withoutFind(inMemory(bad))).replay({ parameters: { day: 1 } }),
    failsWith("INVALID_OPTION", { where: "parameters" }),
  );
  const csv = new CSVSink<State>({ filePath: join(own, "rows.csv"), columnMap: { id: (s: State) => s.pk } });
  const definition = { name: "n", source: inMemory(bad), llmProvider: new MockProvider() };
  const memory = new MemorySink({ columnMap: { id: (s: State) => s.pk } });
  assert.equal(new Pipeline<Row>(definition).to(csv).canReplay, false);
  assert.equal(new Pipeline<Row>(definition).to(memory).canReplay, true);
  assert.equal(new Pipeline<Row>({ ...definition, journal: "off" }).to(memory).canReplay, false);
});
