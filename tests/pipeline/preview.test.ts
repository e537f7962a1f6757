import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { ClassifierStep, type LLMProvider, Pipeline, SummarizerStep } from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { MemorySink, MemorySource } from "../../src/testing/index.ts";
import { failsWith } from "../support/error-facts.ts";
import { query, temporaryDatabase } from "../support/sqlite.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const Visit = z.object({ id: z.string(), note: z.string() });
const taxonomy = [
  { name: "Emergency", definition: "sudden pain" },
  { name: "Routine", definition: "a yearly check" },
] as const;
const folder = temporaryFolder();
let count = 0;
const newFolder = (): string => join(folder, `${(count += 1)}`);

/** The mock, with the calls it was asked for. */
function countingProvider(): { readonly provider: LLMProvider; readonly calls: () => number } {
  const mock = new MockProvider();
  let calls = 0;
  const complete: LLMProvider["complete"] = async (request, signal) => {
    calls += 1;
    return await mock.complete(request, signal);
  };
  return { provider: { name: mock.name, fingerprint: mock.fingerprint, complete }, calls: () => calls };
}

function visits(size: number): { readonly id: string; readonly note: string }[] {
  return Array.from({ length: size }, (_, index) => ({ id: `v${index + 1}`, note: `Sudden pain, day ${index + 1}.` }));
}

function pipelineOf(options: { rows: readonly object[]; llmProvider: LLMProvider; journalFolder?: string }) {
  const { rows, llmProvider, journalFolder = newFolder() } = options;
  return new Pipeline({
    name: "visits",
    source: new MemorySource({ rows, primaryKeyColumn: "id", schema: Visit }),
    llmProvider,
    journal: new SQLiteJournal({ path: join(journalFolder, "journal.db") }),
    payloadLog: "off",
    onRowError: "dead_letter",
    deadLetterPath: join(journalFolder, "failed.jsonl"),
    maxRowErrors: 1,
  }).step(new ClassifierStep({ name: "kind", taxonomy, inputMap: { text: (s) => s.raw.note }, outputKey: "kind" }));
}

interface State {
  readonly pk: string;
  readonly processed: { readonly kind: { readonly category: string } };
}

const columnMap = { id: (s: State) => s.pk, kind: (s: State) => s.processed.kind.category };

test("the first rows go through all steps and come back with state and columns; the sink gets nothing", async () => {
  const { provider, calls } = countingProvider();
  const sink = new MemorySink({ columnMap, mergeKeys: ["id"] });
  const pipeline = pipelineOf({ rows: visits(9), llmProvider: provider }).to(sink);
  const { rows, readCount, successCount, exitCode } = await pipeline.preview({ rows: 3 });
  assert.deepEqual([readCount, successCount, exitCode, calls()], [3, 3, 0, 3]);
  assert.deepEqual(
    rows.map(({ position, pk, values, failure }) => ({ position, pk, values, failure })),
    [1, 2, 3].map((position) => ({
      position,
      pk: `v${position}`,
      values: { id: `v${position}`, kind: "Emergency" },
      failure: null,
    })),
  );
  const category: "Emergency" | "Routine" | undefined = rows[0]?.state?.processed.kind.category; // the state is typed
  assert.equal(category, "Emergency");
  assert.deepEqual(sink.rows, []);
  assert.equal((await pipeline.preview()).rows.length, 5, "five rows by default");
});

test("a run after a preview asks for none of its answers again, and writes every row", async () => {
  const { provider, calls } = countingProvider();
  const sink = new MemorySink({ columnMap, mergeKeys: ["id"] });
  const pipeline = pipelineOf({ rows: visits(6), llmProvider: provider }).to(sink);
  await pipeline.preview({ rows: 4 });
  const report = await pipeline.run();
  assert.deepEqual([calls(), report.usage.reusedAnswers, report.unchangedCount, sink.rows.length], [6, 4, 0, 6]);
  const reader = await pipeline.journal?.reader();
  const { items } = (await reader?.runs.list({ limit: 10 })) ?? { items: [] };
  await reader?.close();
  assert.deepEqual(
    items.map(({ kind }) => kind),
    ["run", "preview"],
  );
});

test("a row that fails is shown with its error, in its place, and goes to no dead letter file", async () => {
  const journalFolder = newFolder();
  const rows = [...visits(2), { id: "blank", note: "  " }, { id: "v1", note: "twice" }, { note: "no key" }];
  const pipeline = pipelineOf({ rows, llmProvider: new MockProvider(), journalFolder }).to(
    new MemorySink({ columnMap }),
  );
  const report = await pipeline.preview({ rows: 9 });
  assert.deepEqual(
    report.rows.map(({ position, pk, failure }) => [position, pk, failure?.step, failure?.error.code]),
    [
      [1, "v1", undefined, undefined],
      [2, "v2", undefined, undefined],
      [3, "blank", "kind", "EMPTY_INPUT"],
      [4, "v1", null, "PRIMARY_KEY_DUPLICATE"],
      [5, null, null, "ROW_SCHEMA_MISMATCH"],
    ],
  );
  assert.deepEqual(
    [report.failureCount, report.exitCode, report.status],
    [3, 1, "completed"],
    "maxRowErrors is a run's",
  );
  assert.ok(!existsSync(join(journalFolder, "failed.jsonl")));
});

test("the limits of the target's columns apply, and nothing is made or changed there", async (t) => {
  const databasePath = temporaryDatabase(
    t,
    "CREATE TABLE visits (id TEXT PRIMARY KEY, summary TEXT NOT NULL CHECK (length(summary) <= 12))",
  );
  const sent: string[] = [];
  const mock = new MockProvider();
  const complete: LLMProvider["complete"] = async (request, signal) => {
    sent.push(JSON.stringify(request.schema.json));
    return await mock.complete(request, signal);
  };
  const pipeline = pipelineOf({
    rows: visits(2),
    llmProvider: { ...mock, name: "mock", fingerprint: mock.fingerprint, complete },
  })
    .step(new SummarizerStep({ name: "summary", inputMap: { text: (s) => s.raw.note }, outputKey: "summary" }))
    .to(
      new SQLiteSink({
        databasePath,
        targetTable: "visits",
        mergeKeys: ["id"],
        columnMap: { id: (s) => s.pk, summary: (s) => s.processed.summary.text },
      }),
    );
  await pipeline.preview({ rows: 2 });
  assert.ok(
    sent.some((schema) => schema.includes('"maxLength\\":12')),
    `the limit reaches the model: ${sent.at(-1)}`,
  );
  assert.deepEqual(query(databasePath, "SELECT count(*) AS rows FROM visits"), [{ rows: 0 }]);
});

test("a file that a run would write is not made", async () => {
  const target = newFolder();
  const sink = new CSVSink({ filePath: join(target, "visits.csv"), columnMap });
  const pipeline = pipelineOf({ rows: visits(2), llmProvider: new MockProvider() }).to(sink);
  assert.equal((await pipeline.preview({ rows: 2 })).rows.length, 2);
  assert.ok(!existsSync(target) || readdirSync(target).length === 0);
});

test("a sample is the same for the same seed, another for another, and every row can be in it", async () => {
  const pipeline = pipelineOf({ rows: visits(40), llmProvider: new MockProvider() }).to(new MemorySink({ columnMap }));
  const keysOf = async (seed: number): Promise<readonly (string | null)[]> => {
    const { rows, readCount } = await pipeline.preview({ rows: 6, sample: true, seed });
    assert.equal(readCount, 6);
    assert.deepEqual(
      rows.map(({ position }) => position),
      rows.map(({ position }) => position).toSorted((one, other) => one - other),
      "in the order of the source",
    );
    return rows.map(({ pk }) => pk);
  };
  assert.deepEqual(await keysOf(7), await keysOf(7));
  const drawn = new Set<string | null>();
  for (let seed = 0; seed < 60; seed += 1) for (const pk of await keysOf(seed)) drawn.add(pk);
  assert.equal(drawn.size, 40, "360 draws of 40 rows leave one out once in 3,000 tries; the seeds are fixed");
});

test("wrong options are rejected before anything happens", async () => {
  const { provider, calls } = countingProvider();
  const pipeline = pipelineOf({ rows: visits(2), llmProvider: provider }).to(new MemorySink({ columnMap }));
  await assert.rejects(pipeline.preview({ rows: 0 }), failsWith("INVALID_OPTION", { where: "rows" }));
  await assert.rejects(pipeline.preview({ seed: 3 }), failsWith("INVALID_OPTION", { where: "seed" }));
  await assert.rejects(pipeline.preview({ limit: 3 } as object), failsWith("INVALID_OPTION", { where: "limit" }));
  assert.equal(calls(), 0);
});
