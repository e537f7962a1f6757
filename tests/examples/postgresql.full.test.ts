import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sampleData } from "../../examples/patient_classification/create-database.ts";
import { readLines } from "../support/run-rows.ts";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const skip = noPostgreSQL;
const example = new URL("../../examples/patient_classification/", import.meta.url);
const folder = temporaryFolder();
const database = testDatabase(readFileSync(new URL("postgresql/create_tables.sql", example), "utf8"));

async function runExample(
  cwd: string,
  ...command: readonly string[]
): Promise<{ readonly exitCode: unknown; readonly output: string }> {
  const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
  assert.ok(existsSync(cli), "run `npm run build` first");
  const pipeline = fileURLToPath(new URL("pipeline-postgresql.ts", example));
  const env = { PATH: process.env["PATH"], DATABASE_URL: database.url() }; // without AZURE_OPENAI_ENDPOINT: the mock answers
  const child = spawn(process.execPath, [cli, ...command, pipeline], { cwd, env });
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close").then((ending: unknown[]) => ending),
  ]);
  return { exitCode, output: `${stdout}${stderr}` };
}

test(
  "the example for PostgreSQL writes every encounter to its table, or to the dead letter file",
  { skip },
  async () => {
    for (const { id, department, notes } of sampleData({ encounterCount: 200 }).encounters) {
      await database.run("INSERT INTO encounters VALUES ($1, $2, $3)", [id, department, notes]);
    }
    const [counts = {}] = await database.run(
      "SELECT count(*)::int AS all, count(*) FILTER (WHERE btrim(clinical_notes, E' \\t\\r\\n') <> '')::int AS noted FROM encounters",
    );
    const workingDirectory = mkdtempSync(join(folder, "example "));
    const early = await runExample(workingDirectory, "check");
    assert.notEqual(early.exitCode, 0);
    assert.match(early.output, /llm-etl sql create-journal/);
    const printed = await runExample(workingDirectory, "sql", "create-journal");
    assert.equal(printed.exitCode, 0, printed.output);
    await database.run(printed.output);

    const checked = await runExample(workingDirectory, "check");
    assert.equal(checked.exitCode, 0, checked.output);
    assert.match(checked.output, /summary|text at most 500 characters/);

    const first = await runExample(workingDirectory, "run");
    assert.equal(first.exitCode, 1, first.output);
    const enriched = await database.run(
      "SELECT *, xmin::text AS version FROM enriched_encounters ORDER BY encounter_id",
    );
    assert.equal(enriched.length, counts["noted"]);
    assert.ok(
      enriched.every(({ visit_category: category, clinical_summary: summary }) => category !== null && summary !== ""),
    );
    const letters = readLines(join(workingDirectory, "output/failed_rows.jsonl"));
    assert.equal(letters.length, Number(counts["all"]) - enriched.length);
    assert.ok(letters.every((letter) => letter["error_code"] === "EMPTY_INPUT"));

    assert.equal(existsSync(join(workingDirectory, ".llm-etl")), false, "the journal is in the database");
    const elsewhere = mkdtempSync(join(folder, "another machine "));
    const [{ calls = 0 } = {}] = await database.run("SELECT sum(calls)::int AS calls FROM llm_etl.runs");
    assert.notEqual(calls, 0);
    const second = await runExample(elsewhere, "run");
    assert.equal(second.exitCode, 1, second.output);
    const again = await database.run("SELECT *, xmin::text AS version FROM enriched_encounters ORDER BY encounter_id");
    assert.deepEqual(again, enriched, "a second run, on another machine, writes nothing anew");
    const runs = await database.run("SELECT sum(calls)::int AS calls FROM llm_etl.runs");
    assert.deepEqual(runs, [{ calls }], "nor asks for anything anew");
    const listed = await runExample(elsewhere, "runs");
    assert.match(listed.output, /patient_visit_enrichment/);

    await database.run("ALTER TYPE visit_category RENAME VALUE 'Mental Health' TO 'Psychiatry'");
    const third = await runExample(workingDirectory, "check");
    assert.notEqual(third.exitCode, 0);
    assert.match(third.output, /"visit_category" can't hold "Mental Health"/);
  },
);
