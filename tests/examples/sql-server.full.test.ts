import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { sampleData } from "../../examples/patient_classification/create-database.ts";
import { visitTaxonomy } from "../../examples/patient_classification/schemas.ts";
import { readLines } from "../support/run-rows.ts";
import { startTargetServer } from "../support/sql-server-target.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const example = new URL("../../examples/patient_classification/", import.meta.url);
const folder = temporaryFolder();

const Enriched = z.object({
  encounter_id: z.string(),
  visit_category: z.enum(visitTaxonomy.map(({ name }) => name)),
  confidence: z.coerce.number().min(0).max(1),
  clinical_summary: z.string().min(1).max(500),
});

interface ExampleRun {
  readonly exitCode: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

async function runExample(workingDirectory: string, connectionString: string): Promise<ExampleRun> {
  assert.ok(existsSync(new URL("../../dist/index.js", import.meta.url)), "run `npm run build` first");
  const env = { PATH: process.env["PATH"], ...(connectionString !== "" && { SQL_SERVER_CONN: connectionString }) };
  const child = spawn(process.execPath, [fileURLToPath(new URL("run-sql-server.ts", example))], {
    cwd: workingDirectory,
    env, // without AZURE_OPENAI_ENDPOINT: the mock answers
  });
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close").then((ending: unknown[]) => ending),
  ]);
  return { exitCode, stdout, stderr };
}

test("the example for SQL Server writes every encounter to its table, or to the dead letter file", async (t) => {
  const sql = readFileSync(new URL("sql-server/create_tables.sql", example), "utf8");
  const server = await startTargetServer({ sql }, t);
  const encounters = server.table("dbo.encounters");
  encounters.insert(
    sampleData({ encounterCount: 200 }).encounters.map(({ id, department, notes }) => {
      return { encounter_id: id, department, clinical_notes: notes };
    }),
  );
  const all = encounters.rows();
  const noted = all.filter(({ clinical_notes: notes }) => typeof notes === "string" && notes.trim() !== "").length;
  assert.ok(all.length === 206 && noted < all.length);
  const workingDirectory = mkdtempSync(join(folder, "example "));

  const first = await runExample(workingDirectory, server.connectionString);
  assert.equal(first.stdout, `Processed: ${noted}, Failed: ${all.length - noted}\n`, first.stderr);
  assert.equal(first.exitCode, 1, "some rows failed");
  const enriched = server.table("dbo.enriched_encounters").rows();
  assert.equal(z.array(Enriched).parse(enriched).length, noted);
  const letters = readLines(join(workingDirectory, "output/failed_rows.jsonl"));
  assert.equal(letters.length, all.length - noted);
  assert.ok(letters.every((letter) => letter["error_code"] === "EMPTY_INPUT"));

  const second = await runExample(workingDirectory, server.connectionString);
  assert.equal(second.stdout, first.stdout, second.stderr);
  assert.deepEqual(server.table("dbo.enriched_encounters").rows(), enriched, "a second run writes nothing anew");
});

test("without a connection the example names the option and the variable", async () => {
  const { exitCode, stderr, stdout } = await runExample(mkdtempSync(join(folder, "example ")), "");
  assert.notEqual(exitCode, 0);
  assert.match(`${stdout}${stderr}`, /connectionString.*SQL_SERVER_CONN/);
});
