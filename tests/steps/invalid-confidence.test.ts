import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { z } from "zod";
import type { GlobalState } from "../../src/engine/state.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { ClassifierStep, type ClassifierStepOptions } from "../../src/steps/classifier.ts";
import { LLMStep } from "../../src/steps/llm-step.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { Pipeline } from "../../src/builder/pipeline.ts";
import { DatabaseSync } from "node:sqlite";
import { failsWith } from "../support/error-facts.ts";
import { type Note, runNotes } from "../support/run-rows.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

type Row = GlobalState<Note>;
const folder = temporaryFolder();
const options = {
  name: "kind",
  taxonomy: [
    { name: "A", definition: "a" },
    { name: "B", definition: "b" },
  ],
  inputMap: { text: (s: Row) => s.raw.text },
  outputKey: "out",
} as const satisfies ClassifierStepOptions<Row, string, string>;
const step = new ClassifierStep({ ...options, onInvalidConfidence: "null" });
const notes: readonly Note[] = [{ id: "1", text: "x" }];
const answer = (confidence: unknown, category: unknown = "B"): string =>
  JSON.stringify({ reasoning: "r", category, confidence });
const answers = (...confidences: unknown[]): string[] => confidences.map((confidence) => answer(confidence));
const run = (responses: readonly string[], of = step) =>
  runNotes({ folder: mkdtempSync(join(folder, "run ")), notes, provider: new MockProvider({ responses }), step: of });

describe("a confidence that is invalid", () => {
  test("is null in a row that is kept, without a re-ask, and the report counts it", async () => {
    for (const given of [1.5, -1, "high", null, undefined]) {
      const { report, outputs, deadLetters } = await run(answers(given));
      assert.deepEqual(outputs, [{ reasoning: "r", category: "B", confidence: null }], String(given));
      assert.deepEqual([report.exitCode, report.usage.calls, deadLetters.length], [0, 1, 0]);
      assert.deepEqual(report.invalidValues, { "kind.confidence": 1 });
    }
  });

  test("fails its row by default", async () => {
    const { report, outputs } = await run(answers(1.5, 90, -1, 7), new ClassifierStep(options));
    assert.deepEqual([outputs.length, report.failuresByCode], [0, { INVALID_OUTPUT: 1 }]);
    assert.equal(report.invalidValues, undefined);
  });

  test("counts once, for the answer that is kept", async () => {
    const { report, outputs } = await run([answer(2, "C"), answer(3, "A")]);
    assert.deepEqual(outputs, [{ reasoning: "r", category: "A", confidence: null }]);
    assert.deepEqual([report.usage.calls, report.invalidValues], [2, { "kind.confidence": 1 }]);
  });

  test("does not save a row whose category is wrong as well", async () => {
    const { report } = await run([answer(2, "C"), answer(3, "D"), answer(4, "C"), answer(5, "D")]);
    assert.deepEqual([report.failureCount, report.invalidValues], [1, undefined]);
  });

  test("does not save what is no object", async () => {
    for (const text of ["[]", "null", "7", "no"]) {
      const { report } = await run([text, text]);
      assert.deepEqual([report.failureCount, report.invalidValues], [1, undefined], text);
    }
  });
});

test("the model is asked for the same as without the option, and a valid confidence is a number", () => {
  const state = { raw: { id: "1", text: "x" } } as Row;
  assert.deepEqual(step.render(state), new ClassifierStep(options).render(state));
  const reading = step.read(answer(0.25));
  assert.ok(reading.valid);
  reading.output.confidence satisfies number | null;
  // @ts-expect-error -- it may be null
  reading.output.confidence satisfies number;
  assert.equal(reading.output.confidence, 0.25);
  const without = new ClassifierStep(options).read(answer(0.25));
  assert.ok(without.valid && (without.output.confidence satisfies number));
});

test("a table whose column takes no NULL keeps its rule: the row fails, with the reason", async () => {
  const path = join(mkdtempSync(join(folder, "db ")), "t.db");
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE t (id TEXT PRIMARY KEY, confidence REAL NOT NULL)");
  type Finished = Row & { readonly processed: { readonly out: { readonly confidence: number | null } } };
  const sink = new SQLiteSink<Finished>({
    ...{ databasePath: path, targetTable: "t", strategy: "merge", mergeKeys: ["id"] },
    columnMap: { id: (s) => s.pk, confidence: (s) => s.processed.out.confidence },
  });
  const report = await new Pipeline<Note>({
    name: "kinds",
    source: new MemorySource<Note>({ rows: notes, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider({ responses: answers(2, 3, 4, 5) }),
    journal: "off",
    payloadLog: "off",
    onRowError: "skip",
  })
    .step(step)
    .to(sink)
    .run();
  assert.deepEqual([report.skippedCount, report.failuresByCode], [1, { INVALID_OUTPUT: 1 }]);
  assert.equal(report.invalidValues, undefined);
  assert.equal(database.prepare("SELECT count(*) AS n FROM t").get()?.["n"], 0);
  database.close();
});

test("any step with a model can be asked for a narrower schema than its output has", async () => {
  const dated = new LLMStep({
    name: "dates",
    prompt: "Find the dates.",
    inputMap: options.inputMap,
    outputKey: "out",
    schema: z.object({ from: z.iso.date(), until: z.iso.date().nullable(), note: z.string().nullable() }),
    askedSchema: z.object({ from: z.iso.date(), until: z.iso.date(), note: z.string() }),
  });
  const provider = new MockProvider({ responses: [{ json: { from: "2024-01-31", until: "soon", note: 1 } }] });
  const { report, outputs } = await runNotes({
    folder: mkdtempSync(join(folder, "run ")),
    notes,
    provider,
    step: dated,
  });
  assert.deepEqual(outputs, [{ from: "2024-01-31", until: null, note: null }]);
  assert.deepEqual(report.invalidValues, { "dates.until": 1, "dates.note": 1 });
});

test("another value than the two is rejected", () => {
  assert.throws(
    () => new ClassifierStep({ ...options, onInvalidConfidence: null as never }),
    failsWith("INVALID_OPTION", { where: "onInvalidConfidence" }),
  );
});
