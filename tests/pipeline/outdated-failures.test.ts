import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DeadLetterFile } from "../../src/dead-letter/file.ts";
import { withOlderFile } from "../../src/dead-letter/older-file.ts";
import { type PipelineOptions, Pipeline, RowError, type Sink, type SinkState } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { deadLetterOf } from "../../src/pipeline/run-files.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { TransformStep } from "../../src/steps/transform.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { readLines } from "../support/run-rows.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { withoutFind } from "../support/without-find.ts";

interface Row {
  readonly id: string;
}
type State = SinkState<Row>;

const root = temporaryFolder();

interface Site {
  readonly path: string;
  /** The keys of the rows that fail. */
  readonly bad: Set<string>;
  readonly pipeline: (
    name: string,
    ids: readonly string[],
    given?: { sink?: Sink<State>; options?: Partial<PipelineOptions<Row>> },
  ) => ReturnType<Pipeline<Row>["to"]>;
}

/** A folder whose pipelines share one dead letter file. */
function newSite(): Site {
  const folder = mkdtempSync(join(root, "site "));
  const path = join(folder, "failed.jsonl");
  const bad = new Set<string>();
  const sinks = new Map<string, MemorySink<State, "id">>();
  const sinkOf = (name: string): MemorySink<State, "id"> => {
    const sink = sinks.get(name) ?? new MemorySink({ columnMap: { id: (s: State) => s.pk }, mergeKeys: ["id"] });
    sinks.set(name, sink);
    return sink;
  };
  return {
    path,
    bad,
    pipeline: (name, ids, { sink, options = {} } = {}) =>
      new Pipeline<Row>({
        name,
        source: withoutFind(new MemorySource<Row>({ rows: ids.map((id) => ({ id })), primaryKeyColumn: "id" })),
        llmProvider: new MockProvider(),
        onRowError: "dead_letter",
        deadLetterPath: path,
        payloadLog: "off",
        journalPath: join(folder, `${name}.db`),
        ...options,
      })
        .step(
          new TransformStep({
            name: "t",
            outputKey: "t",
            transform: ({ pk }) => {
              if (bad.has(pk)) throw new RowError("STEP_FAILED", "bad");
              return pk;
            },
          }),
        )
        .to(sink ?? sinkOf(name)),
  };
}

const keysIn = (path: string): string[] => readLines(path).map(({ pipeline, pk }) => `${pipeline} ${pk}`);

test("at the end of a run the file tells which rows fail now, each once; rows of other pipelines stay", async () => {
  const { path, bad, pipeline } = newSite();
  for (const id of ["1", "2", "3"]) bad.add(id);
  await pipeline("a", ["1", "2", "3", "4"]).run();
  await pipeline("b", ["1"]).run();
  assert.deepEqual(keysIn(path), ["a 1", "a 2", "a 3", "b 1"]);
  bad.delete("2");
  const report = await pipeline("a", ["1", "2", "4"]).run(); // the source does not give row 3 today
  assert.deepEqual([report.successCount, report.failureCount, report.exitCode], [2, 1, 1]);
  assert.deepEqual(keysIn(path).toSorted(), ["a 1", "a 3", "b 1"]);
  bad.clear();
  assert.equal((await pipeline("a", ["1", "2", "3", "4"]).run()).exitCode, 0);
  assert.deepEqual(keysIn(path), ["b 1"]);
  assert.deepEqual(
    readdirSync(join(path, ".."))
      .filter((name) => /failed/.test(name))
      .toSorted(),
    ["failed.jsonl", "failed.jsonl.lock"],
  );
});

test("a row that an earlier run has written, and this one finds unchanged, leaves too", async () => {
  const { path, bad, pipeline } = newSite();
  bad.add("1");
  await pipeline("a", ["1"]).run();
  const before = readFileSync(path);
  bad.clear();
  await pipeline("a", ["1"]).run();
  writeFileSync(path, before); // as if that run had been killed before its end
  const { unchangedCount } = await pipeline("a", ["1"]).run();
  assert.equal(unchangedCount, 1);
  assert.deepEqual(keysIn(path), []);
});

test("a row without a key of its own is there once, however many runs it fails in", async () => {
  const { path, pipeline } = newSite();
  const ids = ["1", "", " ", "1", "2"];
  for (let round = 0; round < 3; round += 1) assert.equal((await pipeline("a", ids).run()).failureCount, 3);
  assert.deepEqual(
    readLines(path).map(({ pk, raw_data: raw }) => [pk, raw]),
    [
      [null, { id: "" }],
      [null, { id: " " }],
      ["1", { id: "1" }],
    ],
  );
});

test("a row that got through leaves, though its failure was dated later by a clock that was put right since", async () => {
  const { path, bad, pipeline } = newSite();
  bad.add("1");
  await pipeline("a", ["1"]).run();
  writeFileSync(
    path,
    readFileSync(path, "utf8").replace(/"timestamp":"[^"]*"/, '"timestamp":"2999-01-01T00:00:00.000Z"'),
  );
  bad.clear();
  await pipeline("a", ["1"]).run();
  assert.deepEqual(keysIn(path), []);
});

test("rows of a file that was not put in its place stay in the dead letters", async () => {
  const { path, bad, pipeline } = newSite();
  const filePath = join(path, "..", "out.csv");
  const sink = new CSVSink({ filePath, columnMap: { id: (s: State) => s.pk } });
  bad.add("1");
  await pipeline("a", ["1", "2"], { sink }).run();
  bad.clear();
  await pipeline("a", ["1", "2"], { sink }).run({ limit: 1 });
  assert.deepEqual(keysIn(path), ["a 1"]);
  await pipeline("a", ["1", "2"], { sink }).run();
  assert.deepEqual(keysIn(path), []);
});

test("without a journal the same holds, and a run that stops removes what it has written", async () => {
  const { path, bad, pipeline } = newSite();
  for (const id of ["1", "2"]) bad.add(id);
  const options = { journal: "off" as const, journalPath: undefined, batchSize: 1, concurrency: 1 };
  await pipeline("a", ["1", "2", "3"], { options }).run();
  bad.clear();
  const stop = new AbortController();
  const { exitCode } = await pipeline("a", ["1", "2", "3"], { options }).run({
    signal: stop.signal,
    onEvent: ({ type }) => {
      if (type === "batch-end") stop.abort();
    },
  });
  assert.equal(exitCode, 3);
  assert.equal(keysIn(path).includes("a 1"), false);
});

test("of failures that two runs add while replays write the file anew, none is lost", async () => {
  const { path, bad, pipeline } = newSite();
  const add = async (count: number): Promise<void> => {
    const session = await new DeadLetterFile({ path }).open({ runId: "r", pipeline: "other" });
    for (let index = 0; index < count; index += 1) {
      const error = new RowError("REFUSAL", "refused");
      const row = { position: 1, step: null, raw: { id: "1" }, partialState: {}, retryCount: 0 };
      await session.add({ ...row, pk: `${index}`, error });
    }
    await session.close();
  };
  const replay = async (): Promise<void> => {
    for (let round = 0; round < 5; round += 1) {
      bad.add("1");
      await pipeline("a", ["1"]).run({ fresh: true });
      bad.clear();
      await pipeline("a", []).replay();
    }
  };
  await Promise.all([add(60), add(60), replay()]);
  assert.equal(keysIn(path).filter((key) => key.startsWith("other ")).length, 120);
  assert.equal(keysIn(path).length, 120);
});

test("the default file names the pipeline", () => {
  const nameOf = (name: string): string => deadLetterOf({ name }).identity;
  assert.equal(nameOf("visits"), join(process.cwd(), "output", "visits.failed_rows.jsonl"));
  assert.notEqual(nameOf("a/b"), nameOf("a_b"));
});

test("a replay takes the pipeline's rows from the older default file too; those of others stay there", async () => {
  const { path: older, bad, pipeline } = newSite();
  const path = join(older, "..", "new", "a.failed.jsonl");
  const options = { deadLetterPath: undefined, deadLetter: withOlderFile(path, older) };
  for (const id of ["1", "2", "3"]) bad.add(id);
  await pipeline("a", ["1", "2"]).run();
  await pipeline("b", ["1"]).run();
  appendFileSync(older, "no JSON\n");
  await pipeline("a", ["2", "3"], { options }).run(); // row 2 has failed in the new file, too
  bad.delete("1");
  bad.delete("2");
  const report = await pipeline("a", [], { options }).replay();
  assert.deepEqual([report.readCount, report.successCount, report.failureCount], [3, 2, 1]);
  assert.deepEqual(keysIn(path), ["a 3"]);
  assert.match(readFileSync(older, "utf8"), /^\{"pk":"1".*"pipeline":"b".*\nno JSON\n$/);
  const kept = readdirSync(join(older, "..")).filter((name) => /^failed\..*Z\.jsonl$/.test(name));
  assert.equal(kept.length, 1);
});

test("of a row that is in both files the newer failure counts", async () => {
  const { path: older } = newSite();
  const path = join(older, "..", "a.failed.jsonl");
  const line = (error_code: string, timestamp: string): string =>
    `${JSON.stringify({ pk: "1", pipeline: "a", error_code, raw_data: { id: "1" }, timestamp })}\n`;
  writeFileSync(older, line("OLD", "2025-01-01T00:00:00Z"));
  writeFileSync(path, line("NEW", "2026-01-01T00:00:00Z"));
  const replay = await withOlderFile(path, older).replay("a");
  const codes: string[] = [];
  for await (const { errorCode } of replay.rows()) codes.push(errorCode);
  await replay.close();
  assert.deepEqual(codes, ["NEW"]);
  assert.equal(readFileSync(older, "utf8"), "");
});

test("an older file that is the new one, by a link, is one file: nothing is moved", { timeout: 30_000 }, async () => {
  const { path: older, bad, pipeline } = newSite();
  const path = join(older, "..", "a.failed.jsonl");
  symlinkSync("failed.jsonl", path);
  bad.add("1");
  await pipeline("a", ["1"]).run();
  bad.clear();
  const options = { deadLetterPath: undefined, deadLetter: withOlderFile(path, older) };
  const report = await pipeline("a", ["1"], { options }).replay();
  assert.deepEqual([report.successCount, report.remainingCount], [1, 0]);
});

test("without any of them there is nothing to replay, and no file is made", async () => {
  const { path: older, pipeline } = newSite();
  const path = join(older, "..", "new", "a.failed.jsonl");
  const options = { deadLetterPath: undefined, deadLetter: withOlderFile(path, older) };
  await assert.rejects(pipeline("a", [], { options }).replay(), { code: "DEAD_LETTER_UNREADABLE" });
  mkdirSync(join(path, ".."));
  writeFileSync(older, "");
  await assert.rejects(pipeline("a", [], { options }).replay(), { code: "DEAD_LETTER_UNREADABLE" });
  assert.ok(!existsSync(path));
});
