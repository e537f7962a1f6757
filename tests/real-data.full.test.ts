// Full lane: thousands of real texts take seconds of CPU.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { ClassifierStep, Pipeline, type RunReport } from "../src/index.ts";
import { MockProvider } from "../src/llm/providers/mock.ts";
import { CSVSource } from "../src/sources/csv.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const data = fileURLToPath(new URL("../../shared/data/", import.meta.url));
const skip = existsSync(data) ? false : "the shared data (../shared/data) is not on this machine";
const folder = temporaryFolder();

const Row = z.object({ row: z.string(), text: z.string().nullable() });

interface Run {
  readonly report: RunReport;
  readonly categories: readonly unknown[];
  readonly deadLetters: readonly { error_code: string }[];
}

/** Classifies one column of a file, with a taxonomy of these names. */
async function classify(path: string, column: string, names: readonly string[]): Promise<Run> {
  const sink = new MemorySink({
    columnMap: { category: (s: { processed: { kind: { category: string } } }) => s.processed.kind.category },
  });
  const deadLetterPath = join(folder, `${column}.jsonl`);
  const report = await new Pipeline({
    name: column,
    source: new CSVSource({
      filePath: join(data, path),
      primaryKeyColumn: "row",
      rowNumberColumn: "row",
      nullValues: [""],
      schema: z.preprocess((row) => Object.assign({}, row, { text: Object(row)[column] }), Row),
    }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    journal: "off",
    onRowError: "dead_letter",
    deadLetterPath,
  })
    .step(
      new ClassifierStep({
        name: "kind",
        taxonomy: names.map((name) => ({ name, definition: name.replaceAll("_", " ") })),
        inputMap: { text: (s) => s.raw.text },
        outputKey: "kind",
      }),
    )
    .to(sink)
    .run();
  const lines = readFileSync(deadLetterPath, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  const categories = sink.rows.map(({ category }) => category);
  assert.ok(
    categories.every((category) => names.includes(String(category))),
    "a category that is not in the taxonomy",
  );
  assert.equal(report.successCount + report.failureCount + report.pendingCount, report.readCount);
  assert.equal(lines.length, report.failureCount);
  return { report, categories, deadLetters: lines.map((line) => JSON.parse(line)) };
}

test("banking77: every message gets one of 77 categories", { skip }, async () => {
  const names: string[] = JSON.parse(readFileSync(join(data, "banking77/categories.json"), "utf8"));
  assert.equal(names.length, 77);
  const { report, categories } = await classify("banking77/test.csv", "text", names);
  assert.deepEqual([report.status, report.readCount, report.successCount], ["completed", 3080, 3080]);
  assert.ok(new Set(categories).size > 40);
});

test("medical abstracts: every abstract gets one of 5 conditions", { skip }, async () => {
  const labels = readFileSync(join(data, "medical-abstracts/medical_tc_labels.csv"), "utf8")
    .trim()
    .split(/\r?\n/)
    .slice(1);
  const names = labels.map((line) => line.slice(line.indexOf(",") + 1));
  const { report } = await classify("medical-abstracts/medical_tc_test.csv", "medical_abstract", names);
  assert.deepEqual([report.status, report.readCount, report.successCount], ["completed", 2888, 2888]);
});

test(
  "CFPB complaints: narratives are classified, rows without one are dead-lettered, the cut last row ends the run by its line",
  { skip },
  async () => {
    const names = [
      "Credit reporting",
      "Mortgage",
      "Debt collection",
      "Credit card",
      "Checking or savings account",
      "Student loan",
    ];
    const { report, deadLetters } = await classify(
      "cfpb-complaints/complaints-first-1MiB-truncated.csv",
      "Consumer complaint narrative",
      names,
    );
    assert.equal(report.status, "failed");
    assert.equal(report.readCount, 2067);
    assert.equal(report.successCount, 389);
    assert.deepEqual(report.failuresByCode, { EMPTY_INPUT: 1678 });
    assert.ok(deadLetters.every(({ error_code }) => error_code === "EMPTY_INPUT"));
    assert.equal(report.error?.code, "SOURCE_FAILED");
    assert.match(report.error?.message ?? "", /line 3302\b/);
  },
);
