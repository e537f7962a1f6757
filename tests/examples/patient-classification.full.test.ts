import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import {
  createDatabase,
  type SampleOptions,
  sampleData,
} from "../../examples/patient_classification/create-database.ts";
import { visitTaxonomy } from "../../examples/patient_classification/schemas.ts";

const example = new URL("../../examples/patient_classification/", import.meta.url);

const EnrichedRow = z.object({
  encounter_id: z.string(),
  visit_category: z.string(),
  confidence: z.number(),
  clinical_summary: z.string(),
  processed_at: z.string(),
  model: z.string(),
});
const DeadLetterLine = z.object({
  pk: z.string(),
  run_id: z.string(),
  error_code: z.string(),
  error_message: z.string(),
  raw_data: z.object({ clinical_notes: z.string().nullable() }),
});

interface DemoRun {
  readonly stdout: string;
  readonly encounterCount: number;
  readonly enriched: readonly z.output<typeof EnrichedRow>[];
  /** By the last line of each row. */
  readonly failed: readonly z.output<typeof DeadLetterLine>[];
  readonly deadLetterLines: number;
}

suite("the demo of patient_classification", () => {
  const folder = mkdtempSync(join(tmpdir(), "llm-etl-example-"));
  const workingDirectory = join(folder, "elsewhere");
  const runs: DemoRun[] = [];

  before(() => {
    const isBuilt = existsSync(new URL("../../dist/index.js", import.meta.url));
    assert.ok(isBuilt, "dist/ is not there, and the example imports it: run `npm run build` first");
    mkdirSync(workingDirectory);
    const output = join(folder, "out put #1 100%"); // what a URL would encode
    runs.push(runDemo(workingDirectory, output), runDemo(workingDirectory, output));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("ends with the counts, which add up to the encounters in the table", () => {
    const { stdout, encounterCount, enriched, failed } = runs[0] ?? assert.fail();
    assert.equal(stdout.trimEnd().split("\n").at(-1), `Processed: ${enriched.length}, Failed: ${failed.length}`);
    assert.equal(enriched.length + failed.length, encounterCount);
    assert.ok(encounterCount >= 500 && failed.length > 0);
  });

  test("prints nothing wider than 100 columns, and where each file lies", () => {
    const { stdout } = runs[0] ?? assert.fail();
    const [report = "", files = ""] = stdout.split("\nFiles:\n");
    for (const line of report.split("\n")) assert.ok(line.length <= 100, `${line.length} columns`);
    for (const name of ["encounters.db", "failed_rows.jsonl", "llm_payloads.jsonl", "journal.db"])
      assert.ok(files.includes(name));
  });

  test("leaves each failed row in the dead letter file with its true cause, and no other", () => {
    const { failed, deadLetterLines } = runs[0] ?? assert.fail();
    const causes = new Map(failed.map(({ pk, error_code }) => [pk, error_code]));
    const expected = sampleData().encounters.flatMap(({ id, notes, hard }): [string, string][] => {
      if (notes === null || notes.trim() === "") return [[id, "EMPTY_INPUT"]];
      return hard === "mistyped birth date" ? [[id, "ROW_SCHEMA_MISMATCH"]] : [];
    });
    assert.deepEqual(causes, new Map(expected));
    assert.equal(failed.length, causes.size);
    assert.equal(deadLetterLines, failed.length, "of the two runs that it failed in, a row keeps the last line");
    for (const { error_code, error_message, raw_data } of failed) {
      if (error_code === "EMPTY_INPUT") assert.ok((raw_data.clinical_notes ?? "").trim() === "");
      else assert.match(error_message, /age: .* got -\d+/);
    }
  });

  test("runs a second time, with nothing to write and nothing to pay for", () => {
    const { stdout, enriched } = runs[0] ?? assert.fail();
    assert.match(stdout, new RegExp(`once more: ${enriched.length} rows unchanged and not written, 0 calls made`));
  });

  test("gives every other row a category of the taxonomy and a summary within the rules", () => {
    const categories: ReadonlySet<string> = new Set(visitTaxonomy.map(({ name }) => name));
    const sentences = new Intl.Segmenter("en", { granularity: "sentence" });
    for (const row of (runs[0] ?? assert.fail()).enriched) {
      assert.ok(categories.has(row.visit_category), row.visit_category);
      assert.ok(row.confidence >= 0 && row.confidence <= 1);
      assert.ok(row.clinical_summary.length > 0 && row.clinical_summary.length <= 300);
      assert.ok([...sentences.segment(row.clinical_summary)].length <= 2, row.clinical_summary);
      assert.equal(row.model, "mock");
    }
  });

  test("finds the true kind of nearly every visit", () => {
    const { enriched } = runs[0] ?? assert.fail();
    const kinds = new Map(sampleData().encounters.map(({ id, kind }) => [id, kind]));
    const rightCount = enriched.filter((row) => row.visit_category === kinds.get(row.encounter_id)).length;
    assert.ok(rightCount / enriched.length > 0.9, `${rightCount} of ${enriched.length}`);
  });

  test("is not led astray by a note that gives the model instructions or closes the text tag", () => {
    const { enriched } = runs[0] ?? assert.fail();
    for (const name of ["instructions to the model", "closing tag"]) {
      const { id, kind } = sampleData().encounters.find(({ hard }) => hard === name) ?? assert.fail(name);
      assert.notEqual(kind, "Emergency");
      assert.equal(enriched.find((row) => row.encounter_id === id)?.visit_category, kind);
    }
  });

  test("gives the same rows when it is run again", () => {
    const [first, second] = runs.map(({ enriched, failed, encounterCount }) => ({
      encounterCount,
      enriched: enriched.map((row) => ({ ...row, processed_at: "" })),
      failed: failed.map((row) => ({ ...row, run_id: "" })).toSorted((left, right) => (left.pk < right.pk ? -1 : 1)),
    }));
    assert.deepEqual(second, first);
  });

  test("writes nothing into the working directory", () => {
    assert.deepEqual(readdirSync(workingDirectory), []);
  });
});

suite("the sample of patient_classification", () => {
  test("is the same, byte for byte, for the same seed, and another for another", (t) => {
    const folder = mkdtempSync(join(tmpdir(), "llm-etl-sample-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const make = (name: string, options?: SampleOptions): { rows: unknown; bytes: Buffer } => {
      const path = join(folder, name);
      createDatabase(path, options);
      return { rows: allRows(path), bytes: readFileSync(path) };
    };
    const first = make("first.db");
    const again = make("again.db", { seed: 20_250_202 });
    assert.deepEqual(again.rows, first.rows);
    assert.ok(again.bytes.equals(first.bytes));
    assert.notDeepEqual(make("other.db", { seed: 1 }).rows, first.rows);
    assert.deepEqual(make("other.db").rows, first.rows); // a database that is there is replaced
  });

  test("has ordinary notes of 150 to 2,000 characters, no two alike, of every kind of visit", () => {
    const ordinary = sampleData().encounters.filter(({ hard }) => hard === null);
    for (const { notes } of ordinary) assert.ok(notes !== null && notes.length >= 150 && notes.length <= 2000);
    assert.equal(new Set(ordinary.map(({ notes }) => notes)).size, ordinary.length);
    assert.equal(new Set(ordinary.map(({ kind }) => kind)).size, visitTaxonomy.length);
  });

  const hardKinds: Readonly<Record<string, (notes: string | null) => boolean>> = {
    "a NULL note": (notes) => notes === null,
    "an empty note": (notes) => notes === "",
    "a note of spaces": (notes) => /^ +$/.test(notes ?? ""),
    "a note of a line break": (notes) => notes === "\n",
    "a note of 40 KB": (notes) => Buffer.byteLength(notes ?? "") >= 40 * 1024,
    "quotes and line breaks": (notes) => /['"`][^]*\r\n/.test(notes ?? ""),
    emoji: (notes) => (notes ?? "").includes("👩‍⚕️"),
    "combining characters": (notes) => notes !== null && notes !== notes.normalize("NFC"),
    "a cell that begins with =": (notes) => (notes ?? "").startsWith("=HYPERLINK("),
    "a closing text tag": (notes) => (notes ?? "").includes("</text>"),
    "instructions to the model": (notes) => (notes ?? "").includes("ignore your instructions"),
  };
  for (const [name, fits] of Object.entries(hardKinds)) {
    test(`has among its rows ${name}`, () => {
      assert.ok(sampleData().encounters.some(({ notes }) => fits(notes)));
      assert.ok(sampleData({ encounterCount: 500, seed: 7 }).encounters.some(({ notes }) => fits(notes)));
    });
  }

  test("has no NUL character and no half of a surrogate pair", () => {
    const texts = sampleData().encounters.map(({ notes }) => notes ?? "");
    assert.ok(texts.every((text) => !text.includes("\0") && text.isWellFormed()));
  });

  test("refuses fewer encounters than there are hard rows", () => {
    assert.throws(() => sampleData({ encounterCount: 3 }), /encounterCount: expected at least \d+, got 3/);
  });
});

test("run.ts without a database names the missing file and what to do", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "llm-etl-example-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const { status, stderr } = runFile("run.ts", folder, folder);
  assert.notEqual(status, 0);
  assert.match(stderr, /there is no database file at .*encounters\.db; .*create the database first/);
});

function runFile(
  name: string,
  workingDirectory: string,
  output: string,
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [fileURLToPath(new URL(name, example))], {
    cwd: workingDirectory,
    env: { ...process.env, LLM_ETL_EXAMPLE_OUTPUT: output },
    encoding: "utf8",
  });
}

function runDemo(workingDirectory: string, output: string): DemoRun {
  const { status, stdout, stderr } = runFile("demo.ts", workingDirectory, output);
  assert.equal(status, 0, `demo.ts ended with ${status}: ${stderr}${stdout}`);
  const { encounters, enriched } = allRows(join(output, "encounters.db"));
  const lines = readFileSync(join(output, "failed_rows.jsonl"), "utf8").split("\n").slice(0, -1);
  const failed = lines.map((line) => DeadLetterLine.parse(JSON.parse(line)));
  return {
    stdout,
    encounterCount: encounters.length,
    enriched: z.array(EnrichedRow).parse(enriched),
    failed: [...new Map(failed.map((line) => [line.pk, line])).values()],
    deadLetterLines: failed.length,
  };
}

function allRows(path: string): Readonly<Record<"patients" | "encounters" | "enriched", readonly unknown[]>> {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const read = (table: string): unknown[] => database.prepare(`SELECT * FROM ${table} ORDER BY 1`).all();
    return { patients: read("patients"), encounters: read("encounters"), enriched: read("enriched_encounters") };
  } finally {
    database.close();
  }
}
