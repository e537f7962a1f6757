import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { z } from "zod";
import {
  ClassifierStep,
  ExtractorStep,
  Pipeline,
  type SinkState,
  type StateOf,
  SummarizerStep,
  TransformStep,
} from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { SQLiteSource } from "../../src/sources/sqlite.ts";
import { CSVSink } from "../../src/sinks/csv.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

// `npx tsc` checks this file: a line below `@ts-expect-error` that does compile is an error.

type Equal<One, Other> = [One, Other] extends [Other, One] ? true : false;
/** Compiles only where the two types are the same. */
function isType<Expected>() {
  return <Actual>(value: Actual, same: Equal<Actual, Expected>): Actual => {
    assert.equal(same, true);
    return value;
  };
}

const folder = temporaryFolder();
const Encounter = z.object({ encounter_id: z.string(), clinical_notes: z.string(), department: z.string() });
const encounters = [
  { encounter_id: "e1", clinical_notes: "Acute trauma after a fall, urgent.", department: "ER" },
  { encounter_id: "e2", clinical_notes: "Preventive care, follow-up appointment.", department: "GP" },
];
const taxonomy = [
  { name: "Emergency", definition: "Urgent, unplanned visit for acute symptoms or trauma" },
  { name: "Routine Checkup", definition: "Scheduled preventive care or follow-up appointment" },
] as const;

/** A pipeline with one step, as it stands before a second step or the sink. */
function begun() {
  return new Pipeline({
    name: "types",
    source: new MemorySource({ rows: encounters, primaryKeyColumn: "encounter_id", schema: Encounter }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    journal: "off",
  }).step(
    new ClassifierStep({
      name: "classify",
      taxonomy,
      inputMap: { text: (s) => s.raw.clinical_notes },
      outputKey: "visit_type",
    }),
  );
}

test("the pipeline of the design compiles with no annotation, over SQLite, and runs", async () => {
  const databasePath = join(folder, "visits.db");
  const database = new DatabaseSync(databasePath);
  database.exec(`
    CREATE TABLE encounters (encounter_id TEXT PRIMARY KEY, clinical_notes TEXT, department TEXT);
    INSERT INTO encounters VALUES ('e1', 'Acute trauma after a fall, urgent.', 'ER'), ('e2', 'Preventive care, follow-up appointment.', 'GP');
    CREATE TABLE enriched (encounter_id TEXT PRIMARY KEY, visit_category TEXT, confidence REAL, clinical_summary TEXT, processed_at TEXT)`);
  const pipeline = new Pipeline({
    name: "patient_visit_enrichment",
    source: new SQLiteSource({
      databasePath,
      sql: "SELECT * FROM encounters",
      primaryKeyColumn: "encounter_id",
      schema: Encounter,
    }),
    llmProvider: new MockProvider(),
    onRowError: "dead_letter",
    deadLetterPath: join(folder, "failed_rows.jsonl"),
    journal: "off",
    payloadLogPath: join(folder, "payloads.jsonl"),
  })
    .step(
      new ClassifierStep({
        name: "visit_classifier",
        taxonomy: [
          { name: "Emergency", definition: "Urgent, unplanned visit for acute symptoms or trauma" },
          { name: "Routine Checkup", definition: "Scheduled preventive care or follow-up appointment" },
        ],
        inputMap: {
          text: (s) => s.raw.clinical_notes,
          context: (s) => `Department: ${s.raw.department}`,
        },
        outputKey: "visit_type",
      }),
    )
    .step(
      new SummarizerStep({
        name: "note_summarizer",
        inputMap: {
          text: (s) => s.raw.clinical_notes,
          focus: (s) => isType<"Emergency" | "Routine Checkup">()(s.processed.visit_type.category, true),
        },
        outputKey: "summary",
      }),
    )
    .to(
      new SQLiteSink({
        databasePath,
        targetTable: "enriched",
        mergeKeys: ["encounter_id"],
        columnMap: {
          encounter_id: (s) => s.pk,
          visit_category: (s) => isType<"Emergency" | "Routine Checkup">()(s.processed.visit_type.category, true),
          confidence: (s) => isType<number>()(s.processed.visit_type.confidence, true),
          clinical_summary: (s) => isType<string>()(s.processed.summary.text, true),
          processed_at: (s) => isType<Date>()(s.completedAt, true),
        },
      }),
    );
  const report = await pipeline.run();
  assert.equal(report.error, null);
  assert.deepEqual([report.successCount, report.failureCount], [2, 0]);
  const rows = database.prepare("SELECT encounter_id, visit_category FROM enriched ORDER BY 1").all();
  database.close();
  assert.deepEqual(
    rows.map((row) => Object.values(row)),
    [
      ["e1", "Emergency"],
      ["e2", "Routine Checkup"],
    ],
  );
});

test("the same with memory: each step and the sink see what the ones before added", async () => {
  const sink = new MemorySink({
    columnMap: {
      id: (s: { pk: string; processed: { length: number; found: { age?: number | undefined } } }) => s.pk,
      length: (s) => isType<number>()(s.processed.length, true),
      age: (s) => s.processed.found.age ?? null,
    },
    mergeKeys: ["id"],
  });
  const report = await begun()
    .step(new TransformStep({ name: "measure", outputKey: "length", transform: (s) => s.raw.clinical_notes.length }))
    .step(
      new ExtractorStep({
        name: "extract",
        schema: z.object({ age: z.int().optional() }),
        inputMap: { text: (s) => s.raw.clinical_notes, context: (s) => isType<number>()(s.processed.length, true) },
        outputKey: "found",
      }),
    )
    .to(sink)
    .run();
  assert.equal(report.successCount, 2);
  assert.deepEqual(
    sink.rows.map(({ id, length }) => [id, length]),
    encounters.map(({ encounter_id: id, clinical_notes: notes }) => [id, notes.length]),
  );
});

test("a field that no row has does not compile", () => {
  const wrong = begun();
  wrong.step(
    new SummarizerStep({
      name: "summarize",
      // @ts-expect-error the row has clinical_notes
      inputMap: { text: (s) => s.raw.clinical_note },
      outputKey: "summary",
    }),
  );
  // @ts-expect-error a primary key is a column of the row
  const source = new MemorySource({ rows: encounters, primaryKeyColumn: "encounter", schema: Encounter });
  assert.equal(source.primaryKeyColumn, "encounter");
});

test("an output that no step adds does not compile, in a step and in a column map, and is found before the first row", async () => {
  const sink = new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk } });
  const pipeline = begun()
    .step(
      new SummarizerStep({
        name: "summarize",
        inputMap: {
          text: (s) => s.raw.clinical_notes,
          // @ts-expect-error no step adds "kind"
          focus: (s) => s.processed.kind.category,
        },
        outputKey: "summary",
      }),
    )
    .to(sink);
  await assert.rejects(
    pipeline.run(),
    failsWith("MAP_MISMATCH", { where: "inputMap.focus of summarize", path: "processed.kind" }),
  );
  const mapped = begun().to(
    new MemorySink({
      columnMap: {
        id: (s) => s.pk,
        // @ts-expect-error no step adds "summary"
        summary: (s) => s.processed.summary.text,
      },
    }),
  );
  await assert.rejects(
    mapped.run(),
    failsWith("MAP_MISMATCH", { where: "columnMap.summary", path: "processed.summary" }),
  );
});

test("a second step with an output key that is taken does not compile, and is refused", () => {
  const again = new TransformStep({ name: "again", outputKey: "visit_type", transform: () => 1 });
  // @ts-expect-error "visit_type" is taken
  assert.throws(() => begun().step(again), /two steps have the output key "visit_type"/);
});

test("a taxonomy entry without a definition does not compile, and is refused", () => {
  const inputMap = { text: (s: { raw: { clinical_notes: string } }) => s.raw.clinical_notes };
  assert.throws(
    () =>
      new ClassifierStep({
        name: "c",
        taxonomy: [
          { name: "A", definition: "a" },
          // @ts-expect-error it has no definition
          { name: "B" },
        ],
        inputMap,
        outputKey: "o",
      }),
    failsWith("INVALID_OPTION", { where: "taxonomy", entry: 2, expected: "a definition that is not blank" }),
  );
});

test("a merge key that is no column does not compile, and is refused by a sink that has a table", () => {
  const columnMap = { id: (s: { pk: string }) => s.pk };
  // @ts-expect-error the columns are "id"
  const sink = new MemorySink({ columnMap, mergeKeys: ["encounter_id"] });
  assert.equal(sink.name, "memory");
  const options = { databasePath: join(folder, "none.db"), targetTable: "t", columnMap };
  // @ts-expect-error the columns are "id"
  assert.throws(() => new SQLiteSink({ ...options, mergeKeys: ["encounter_id"] }), /encounter_id/);
});

test("comparing a category with one that is not in the taxonomy does not compile", () => {
  begun().step(
    new TransformStep({
      name: "urgent",
      outputKey: "urgent",
      transform: (s) => {
        const { category } = s.processed.visit_type;
        isType<"Emergency" | "Routine Checkup">()(category, true);
        // @ts-expect-error there is no such category
        return category === "emergency";
      },
    }),
  );
  const names = taxonomy.map(({ name }) => name);
  // @ts-expect-error one category is not all of them
  assert.deepEqual(isType<"Emergency"[]>()(names, true), ["Emergency", "Routine Checkup"]);
});

test("an item has its type in the column map behind each, and its row's types beside it", () => {
  const items = begun().each((s) => s.raw.clinical_notes.split(" "), {
    key: (word, index) => isType<string>()(word, true) + String(isType<number>()(index, true)),
  });
  const pipeline = items.to(
    new CSVSink({
      filePath: "words.csv",
      columnMap: {
        id: (s) => isType<string>()(s.pk, true),
        word: (s) => isType<string>()(s.item, true),
        place: (s) => isType<number>()(s.index, true),
        category: (s) => isType<"Emergency" | "Routine Checkup">()(s.processed.visit_type.category, true),
        // @ts-expect-error the item is a text
        wrong: (s) => s.item.code,
        // @ts-expect-error no step adds "summary"
        summary: (s) => s.processed.summary ?? null,
      },
    }),
  );
  const unfinished = begun();
  isType<Equal<StateOf<typeof pipeline>, StateOf<typeof unfinished>>>()(true, true);
  // @ts-expect-error a sink without each has no item
  assert.ok(begun().to(new MemorySink({ columnMap: { id: (s) => s.item } })));
  // @ts-expect-error a text is no array
  assert.ok(begun().each((s) => s.raw.department, { key: () => "" }));
  // @ts-expect-error an object is no key
  assert.ok(begun().each((s) => [s.raw], { key: (row) => row }));
  const table = { databasePath: "x.db", targetTable: "t", columnMap: { id: () => "" }, mergeKeys: ["id"] as const };
  assert.throws(
    // @ts-expect-error there is no such column
    () => new SQLiteSink({ ...table, groupKey: ["idd"] }),
    failsWith("INVALID_OPTION", { where: "groupKey" }),
  );
  // @ts-expect-error a pipeline ends in a sink
  assert.throws(() => begun().to(), failsWith("INVALID_OPTION", { where: "to" }));
});

test("an unknown option does not compile, and is refused", () => {
  const source = new MemorySource({ rows: encounters, primaryKeyColumn: "encounter_id", schema: Encounter });
  assert.throws(
    // @ts-expect-error it is spelt "concurrency"
    () => new Pipeline({ name: "p", source, llmProvider: new MockProvider(), concurency: 4 }),
    /"concurency": unknown option; did you mean "concurrency"/,
  );
  const inputMap = { text: (s: { raw: { clinical_notes: string } }) => s.raw.clinical_notes };
  assert.throws(
    // @ts-expect-error it is spelt "maxRetries"
    () => new ClassifierStep({ name: "c", taxonomy, inputMap, outputKey: "o", maxRetry: 1 }),
    /"maxRetry": unknown option/,
  );
  const more = {
    name: "c",
    taxonomy,
    outputKey: "o",
  } as const;
  // @ts-expect-error a classifier takes text and context
  assert.doesNotThrow(() => new ClassifierStep({ ...more, inputMap: { ...inputMap, focus: () => "x" } }));
});

test("StateOf is the type of a finished state, of a pipeline with its sink or without", async () => {
  const unfinished = begun();
  type State = StateOf<typeof unfinished>;
  const columns = {
    id: (s: State) => isType<string>()(s.pk, true),
    department: (s: State) => isType<string>()(s.raw.department, true),
    category: (s: State) => isType<"Emergency" | "Routine Checkup">()(s.processed.visit_type.category, true),
    model: (s: State) => s.lineage.visit_type?.model ?? null,
    // @ts-expect-error no step adds "summary"
    summary: (s: State) => s.processed.summary ?? null,
    // @ts-expect-error the row has clinical_notes
    notes: (s: State) => s.raw.clinical_note ?? null,
  };
  const sink = new MemorySink({ columnMap: columns, mergeKeys: ["id"] });
  const pipeline = unfinished.to(sink);
  isType<Equal<StateOf<typeof pipeline>, State>>()(true, true);
  isType<State extends SinkState<z.infer<typeof Encounter>> ? true : false>()(true, true);
  // @ts-expect-error a sink is no pipeline
  const wrong = (s: StateOf<typeof sink>): unknown => s;
  assert.equal(wrong.length, 1);
  await assert.rejects(pipeline.run(), failsWith("MAP_MISMATCH", { where: "columnMap.summary" }));
});
