import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import {
  ClassifierStep,
  ExtractorStep,
  type GlobalState,
  type LLMProvider,
  Pipeline,
  type RowSchema,
  type RunnablePipeline,
  type SinkState,
  TransformStep,
} from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryDatabase } from "../support/sqlite.ts";

interface Row {
  readonly id: string;
  readonly note: string | null;
  readonly meta?: { readonly unit?: string | undefined } | undefined;
}

/** A state as a JavaScript user's functions see it. */
// oxlint-disable-next-line typescript/no-explicit-any -- a typing mistake does not compile otherwise
type Untyped = any;
type Read = (state: Untyped) => unknown;

interface Given {
  readonly columns?: Readonly<Record<string, Read>>;
  readonly inputs?: Readonly<Record<string, Read>>;
  readonly rows?: readonly object[];
  readonly schema?: RowSchema<Row>;
  readonly onRowError?: "fail" | "skip";
  readonly databasePath?: string;
}

const fields = z.object({
  due: z.string().nullable(),
  urgent: z.boolean(),
  level: z.enum(["high", "middle", "low"]),
  parts: z.array(z.object({ name: z.string() })),
  code: z.string().transform((text) => ({ value: text, size: text.length })),
  extra: z.string().optional(),
});

/** Two steps that ask a model, one that does not; and how often it was asked. */
function pipelineOf({ columns = {}, inputs = {}, rows, schema, onRowError = "skip", databasePath }: Given) {
  const mock = new MockProvider();
  let callCount = 0;
  const llmProvider: LLMProvider = {
    name: "counting",
    fingerprint: mock.fingerprint,
    complete: async (request, signal) => {
      callCount += 1;
      return await mock.complete(request, signal);
    },
  };
  const source = new MemorySource<Row>({
    rows: rows ?? [{ id: "1", note: "A card was lost" }],
    primaryKeyColumn: "id",
    schema,
  });
  const columnMap = { id: (s: { readonly pk: string }) => s.pk, ...columns };
  let transformCount = 0;
  const pipeline: RunnablePipeline = new Pipeline<Row>({
    ...{ name: "maps", source, llmProvider, onRowError, journal: "off", payloadLog: "off" },
  })
    .step(
      new ClassifierStep({
        name: "classify",
        taxonomy: [{ name: "Card", definition: "A lost card" }],
        inputMap: { text: (s: GlobalState<Row>) => s.raw.note },
        outputKey: "kind",
      }),
    )
    .step(
      new TransformStep({
        name: "count",
        outputKey: "words",
        transform: (s: GlobalState<Row>) => {
          transformCount += 1;
          return { count: (s.raw.note ?? "").split(" ").length };
        },
      }),
    )
    .step(
      new ExtractorStep({
        name: "extract",
        schema: fields,
        inputMap: { text: (s: GlobalState<Row>) => s.raw.note, ...inputs },
        outputKey: "found",
      }),
    )
    .to(
      databasePath === undefined
        ? new MemorySink({ columnMap })
        : new SQLiteSink<SinkState<Row>>({ databasePath, targetTable: "t", mergeKeys: ["id"], columnMap }),
    );
  return { pipeline, callCount: () => callCount, transformCount: () => transformCount };
}

/** Run and check find the same, before the first call. */
async function findsBoth(given: Given, facts: Readonly<Record<string, string>>): Promise<void> {
  const { pipeline, callCount, transformCount } = pipelineOf(given);
  await assert.rejects(pipeline.run(), failsWith("MAP_MISMATCH", facts));
  assert.deepEqual([callCount(), transformCount()], [0, 0]);
  const report = await pipeline.check();
  const found = report.findings.filter(({ code }) => code === "MAP_MISMATCH");
  assert.deepEqual(
    found.map(({ status, facts: given }) => [status, given?.where]),
    [["problem", facts["where"]]],
  );
  assert.equal(report.wouldRun, false);
  assert.equal(callCount(), 0);
}

async function findsNothing(given: Given): Promise<void> {
  const { pipeline } = pipelineOf(given);
  const { findings } = await pipeline.check();
  assert.deepEqual(
    findings.filter(({ code }) => code === "MAP_MISMATCH").map(({ message }) => message),
    [],
  );
  const report = await pipeline.run();
  assert.equal(report.error, null);
}

test("a typing mistake in a column map is found before the first call, with the closest name", async () => {
  const mistakes: readonly (readonly [Read, string, string | undefined])[] = [
    [(s) => s.processed.kind.catgory, "processed.kind.catgory", "category"],
    [(s) => s.processed.knd.category, "processed.knd", "kind"],
    [(s) => s.processed.found.partz, "processed.found.partz", "parts"],
    [(s) => s.processed.found.parts[0].nam, "processed.found.parts.0.nam", "name"],
    [(s) => s.processed.found.parts.map((part: Untyped) => part.nmae).join(), "processed.found.parts.0.nmae", "name"],
    [(s) => s.raw.nte ?? "none", "raw.nte", "note"],
    [(s) => s.lineage.kind?.modl, "lineage.kind.modl", "model"],
    [(s) => s.complettedAt, "complettedAt", "completedAt"],
    [(s) => `${s.processed.kind.reasonin}`, "processed.kind.reasonin", "reasoning"],
    [({ processed: { kind } }) => kind.zzz, "processed.kind.zzz", undefined],
  ];
  for (const [read, path, closest] of mistakes) {
    await findsBoth(
      { columns: { x: read } },
      { where: "columnMap.x", path, ...(closest !== undefined && { closest }) },
    );
  }
});

test("a mistake in a branch is found that the first answer would not take", async () => {
  const branches: readonly (readonly [Read, string])[] = [
    [(s) => (s.processed.found.urgent ? "now" : s.processed.found.deu), "processed.found.deu"],
    [(s) => s.processed.found.due ?? s.processed.found.fallback, "processed.found.fallback"],
    [(s) => (s.processed.found.level === "low" ? s.processed.kind.catgory : "x"), "processed.kind.catgory"],
  ];
  for (const [read, path] of branches) await findsBoth({ columns: { x: read } }, { where: "columnMap.x", path });
});

test("a typing mistake in an input map is found, and an output of a later step", async () => {
  const where = "inputMap.context of extract";
  const inputs = (context: Read): Given => ({ inputs: { context } });
  await findsBoth(
    inputs((s) => s.raw.noet),
    { where, path: "raw.noet", closest: "note" },
  );
  await findsBoth(
    inputs((s) => s.processed.kind.categry),
    { where, path: "processed.kind.categry" },
  );
  await findsBoth(
    inputs((s) => s.processed.found?.due),
    { where, path: "processed.found" },
  );
  await findsBoth(
    inputs(async () => await Promise.resolve("x")),
    { where },
  );
  await findsBoth({ columns: { x: async () => await Promise.resolve("x") } }, { where: "columnMap.x" });
});

test("with a schema of the row a name counts that it has, without one a name that the first row has", async () => {
  const schema = z.object({
    id: z.string(),
    note: z.string().nullable(),
    meta: z.object({ unit: z.string().optional() }).optional(),
  });
  await findsBoth({ schema, columns: { x: (s) => s.raw.mta } }, { where: "columnMap.x", path: "raw.mta" });
  await findsBoth(
    { schema, rows: [{ id: "1", note: "x", meta: {} }], columns: { x: (s) => s.raw.meta?.unt } },
    { where: "columnMap.x", path: "raw.meta.unt", closest: "unit" },
  );
  await findsNothing({ schema, columns: { x: (s) => s.raw.meta?.unit } });
  const open = z.looseObject({ id: z.string(), note: z.string().nullable() });
  await findsNothing({ schema: open, columns: { x: (s) => s.raw.whatever } });
  const own: RowSchema<Row> = {
    "~standard": { version: 1, vendor: "own", validate: (value) => ({ value: value as Row }) },
  };
  await findsNothing({ schema: own, columns: { x: (s) => s.raw.whatever } });
});

test("what is declared, transformed, made by a step without a schema, or asked of any object is no mistake", async () => {
  await findsNothing({
    columns: {
      a: (s) => s.processed.found.extra,
      b: (s) => s.processed.found.due?.slice(0, 3),
      c: (s) => s.processed.found.code.value + s.processed.found.code.size,
      d: (s) => s.processed.words.count,
      e: (s) => JSON.stringify(s.processed.kind),
      f: (s) => JSON.stringify(s),
      g: (s) => ({ ...s.processed.kind }).category,
      h: (s) => s.processed.found.parts.map((part: Untyped) => part.name).join(),
      i: (s) => ("nothing" in s.raw ? s.raw.nothing : null),
      j: (s) => Object.entries(s.raw).length,
      k: (s) => s.completedAt.toISOString() + s.run.id + s.startedAt.getTime(),
      l: (s) => s.lineage.kind?.model,
      m: (s) => String(s.processed.kind),
      n: (s) => s.log.at(-1),
      o: (s) => s.processed.found.parts.at(-1)?.name,
    },
    inputs: {
      context: (s) => `${s.processed.kind.category} ${s.processed.words.count.toFixed(1)} ${s.raw.note.trim()}`,
    },
  });
});

test("a function that throws over made-up values is a warning; over the first row it is a problem only where a row error ends the run", async () => {
  const overMadeUp = { columns: { x: (s: Untyped) => new Date(s.processed.kind.category).toISOString() } };
  for (const onRowError of ["fail", "skip"] as const) {
    const { pipeline } = pipelineOf({ ...overMadeUp, onRowError });
    const { findings, wouldRun } = await pipeline.check();
    const found = findings.filter(({ code }) => code === "MAP_MISMATCH").map(({ status }) => status);
    assert.deepEqual([found, wouldRun], [["warning"], true]);
    assert.equal((await pipeline.run()).failuresByCode["COLUMN_MAP_FAILED"], 1);
  }
  const secret = "the note of Jane Doe";
  const overRow = {
    rows: [{ id: "1", note: secret }],
    columns: { x: (s: Untyped) => JSON.parse(s.raw.note) },
  };
  const skipping = pipelineOf({ ...overRow, onRowError: "skip" });
  const report = await skipping.pipeline.check();
  assert.equal(report.wouldRun, true);
  assert.ok(!JSON.stringify(report.findings).includes("Jane Doe"));
  assert.equal((await skipping.pipeline.run()).skippedCount, 1);
  const failing = pipelineOf({ ...overRow, onRowError: "fail" });
  assert.equal((await failing.pipeline.check()).wouldRun, false);
  await assert.rejects(
    failing.pipeline.run(),
    failsWith("MAP_MISMATCH", { where: "columnMap.x", thrown: "a SyntaxError" }),
  );
  assert.equal(failing.callCount(), 0);
});

test("an array or object that a function makes for a column which holds none is found before the first call", async (t) => {
  const databasePath = temporaryDatabase(t, "CREATE TABLE t (id TEXT PRIMARY KEY, x TEXT, j JSON)");
  const made: readonly Read[] = [
    (s) => ({ ...s.processed.kind }),
    (s) => [s.pk],
    (s) => s.processed.found.parts.map((part: Untyped) => part.name),
    (s) => s.lineage.kind,
    (s) => s.raw,
  ];
  for (const x of made) {
    await findsBoth({ databasePath, columns: { x }, onRowError: "fail" }, { where: "columnMap.x" });
  }
  const kept = pipelineOf({
    databasePath,
    columns: { j: (s) => ({ ...s.processed.kind }), x: (s) => s.processed.words.count },
  });
  assert.equal((await kept.pipeline.run()).successCount, 1);
});

/** As lodash finds out if something is empty. */
function isEmpty(value: Untyped): boolean {
  if (value === null || value === undefined) return true;
  return typeof value.length === "number" ? value.length === 0 : Object.keys(value).length === 0;
}

test("what a function copies, changes in a copy, or has a library look at is no mistake", async () => {
  const row = { id: "1", note: "A card was lost", tags: ["b", "a"] };
  const columns: Readonly<Record<string, Read>> = {
    a: (s) => structuredClone(s.raw).note,
    b: (s) => s.raw.tags.splice(0, 1).join(),
    c: (s) => s.processed.found.parts.push("more"),
    d: (s) => isEmpty(s.raw) || isEmpty(s.processed.found),
    e: (s) => JSON.stringify(structuredClone(s.processed.kind)),
  };
  const { pipeline } = pipelineOf({ rows: [row], columns, onRowError: "fail" });
  const { findings } = await pipeline.check();
  assert.deepEqual(
    findings.filter(({ status }) => status !== "ok").map(({ message }) => message),
    [],
  );
  assert.deepEqual(row.tags, ["b", "a"]);
  assert.equal((await pipeline.run()).successCount, 1);
  const changes: Read = (s) => {
    s.raw.tags.splice(0, 1);
    return s.raw.nte;
  };
  await findsBoth({ rows: [row], columns: { x: changes } }, { where: "columnMap.x", path: "raw.nte" });
  await findsBoth({ columns: { x: (s) => s.raw.length } }, { where: "columnMap.x", path: "raw.length" });
  const frozen: Read = (s) => {
    s.raw.note = "another";
    return s.raw.note;
  };
  await assert.rejects(
    pipelineOf({ columns: { x: frozen }, onRowError: "fail" }).pipeline.run(),
    failsWith("MAP_MISMATCH", { where: "columnMap.x", thrown: "a TypeError" }),
  );
});

test("a value that is the same for each row, and that its column can't hold, is found before the first call", async (t) => {
  const databasePath = temporaryDatabase(
    t,
    "CREATE TABLE t (id TEXT PRIMARY KEY, must TEXT NOT NULL DEFAULT 'x', n INTEGER) STRICT",
  );
  const never: readonly (readonly [string, Read])[] = [
    ["must", () => null],
    ["must", () => undefined],
    ["n", () => "none"],
    ["n", (s) => s.completedAt],
    ["n", (s) => s.run.id],
  ];
  for (const [column, read] of never) {
    await findsBoth({ databasePath, columns: { [column]: read } }, { where: `columnMap.${column}` });
  }
  const columns: Readonly<Record<string, Read>> = {
    must: () => "x",
    n: (s) => s.completedAt - s.startedAt,
  };
  assert.equal((await pipelineOf({ databasePath, columns }).pipeline.run()).successCount, 1);
});

test("an object that a TransformStep gives for a column of text is found by check", async (t) => {
  const databasePath = temporaryDatabase(t, "CREATE TABLE t (id TEXT PRIMARY KEY, x TEXT)");
  for (const [onRowError, status] of [
    ["fail", "problem"],
    ["skip", "warning"],
  ] as const) {
    const { pipeline, callCount } = pipelineOf({
      databasePath,
      columns: { x: (s) => s.processed.words },
      onRowError,
    });
    const report = await pipeline.check();
    const found = report.findings.filter(({ code }) => code === "MAP_MISMATCH");
    assert.deepEqual(
      found.map((finding) => [finding.facts?.where, finding.status]),
      [["columnMap.x", status]],
    );
    assert.deepEqual([report.wouldRun, callCount()], [status === "warning", 0]);
  }
  await findsNothing({ databasePath, columns: { x: (s) => s.processed.words.count } });
});

test("a wrong first row hides no mistake from a source without a schema: the first one that is right is looked at", async () => {
  const rows = [
    { note: "no key" },
    { id: " ", note: "no key" },
    { id: "3", note: "A card" },
    { id: "4", note: "A card" },
  ];
  const { pipeline, callCount } = pipelineOf({ rows, columns: { x: (s) => s.raw.nte } });
  const { status, error, skippedCount, pendingCount, readCount } = await pipeline.run();
  assert.deepEqual([status, error?.code, skippedCount, pendingCount, readCount], ["failed", "MAP_MISMATCH", 2, 0, 2]);
  const { findings, wouldRun } = await pipeline.check();
  const found = findings.filter(({ code }) => code === "MAP_MISMATCH").map(({ facts }) => facts?.["path"]);
  assert.deepEqual([found, wouldRun, callCount()], [["raw.nte"], false, 0]);
  const right = pipelineOf({ rows });
  assert.equal((await right.pipeline.run()).successCount, 2);
});

test("a list that a function makes is one in each row, a list of the row may be none in others", async (t) => {
  const databasePath = temporaryDatabase(t, "CREATE TABLE t (id TEXT PRIMARY KEY, x TEXT)");
  await findsBoth({ databasePath, columns: { x: (s) => [s.raw.note] } }, { where: "columnMap.x" });
  const rows = [
    { id: "1", note: ["a", "b"] },
    { id: "2", note: "a" },
  ];
  const { pipeline } = pipelineOf({ databasePath, rows, columns: { x: (s) => s.raw.note } });
  const { findings } = await pipeline.check();
  const found = findings.filter(({ facts }) => facts?.["where"] === "columnMap.x").map(({ status }) => status);
  assert.deepEqual(found, ["warning"]);
});

test("of a step without a model check knows what it made of the first row: a name that is nearly there, a lineage that is not", async () => {
  for (const [read, facts] of [
    [(s: Untyped) => s.processed.words.cuont, { path: "processed.words.cuont", closest: "count" }],
    [(s: Untyped) => s.lineage.words.model, { thrown: "a TypeError" }],
    [(s: Untyped) => s.processed.words.list.join(), { thrown: "a TypeError" }],
  ] as const) {
    const { pipeline } = pipelineOf({ columns: { x: read } });
    const { findings, wouldRun } = await pipeline.check();
    const [found, ...others] = findings.filter(({ code }) => code === "MAP_MISMATCH");
    assert.deepEqual([found?.status, others.length, wouldRun], ["warning", 0, true], String(read));
    for (const [name, value] of Object.entries(facts)) assert.equal(found?.facts?.[name], value);
  }
  await findsNothing({ columns: { x: (s) => s.processed.words.unknown ?? s.lineage.words?.model } });
});

test("a loop over what is not known ends, and a first row that is wrong is the run's own affair", async () => {
  const columns = {
    x: (s: Untyped) => {
      let node = s.processed.words;
      while (typeof node === "function") node = node.next;
      return node?.count ?? null;
    },
  };
  const looping = pipelineOf({ columns });
  const { findings } = await looping.pipeline.check();
  assert.deepEqual(
    findings.filter(({ code }) => code === "MAP_MISMATCH"),
    [],
  );
  assert.equal((await looping.pipeline.run()).successCount, 1);
  const { pipeline } = pipelineOf({ rows: [{ note: "no key" }, { id: "2", note: "A card" }] });
  const report = await pipeline.run();
  assert.deepEqual([report.successCount, report.skippedCount], [1, 1]);
});

test("a source whose first row shows a mistake is told that no more rows are wanted", async () => {
  let isClosed = false;
  const rows = function* (): Generator<object> {
    try {
      yield { id: "1", note: "A card" };
      yield { id: "2", note: "A card" };
    } finally {
      isClosed = true;
    }
  };
  const source = new MemorySource<Row>({ rows, primaryKeyColumn: "id" });
  const sink = new MemorySink({
    columnMap: { id: (s: { readonly pk: string }) => s.pk, x: (s: Untyped) => s.raw.nte },
  });
  const off = { journal: "off", payloadLog: "off" } as const;
  const pipeline = new Pipeline<Row>({ name: "closed", source, llmProvider: new MockProvider(), ...off }).to(sink);
  await assert.rejects(pipeline.run(), failsWith("MAP_MISMATCH", { where: "columnMap.x" }));
  assert.equal(isClosed, true);
});

test("a preview is held to the same", async () => {
  const { pipeline, callCount } = pipelineOf({ columns: { x: (s) => s.processed.kind.catgory } });
  await assert.rejects(pipeline.preview(), failsWith("MAP_MISMATCH", { where: "columnMap.x" }));
  assert.equal(callCount(), 0);
});
