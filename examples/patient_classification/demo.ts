// npm run demo: makes the database, runs the pipeline with the mock provider, and shows what came out of it.
import { readFileSync, rmSync } from "node:fs";
import { relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { createDatabase } from "./create-database.ts";
import { databasePath, deadLetterPath, journalPath, payloadLogPath } from "./files.ts";
import pipeline from "./pipeline.ts";

const Enriched = z.object({
  encounter_id: z.string(),
  visit_category: z.string(),
  confidence: z.number(),
  clinical_summary: z.string(),
});
const FailedRow = z.object({ pk: z.string().nullable(), error_code: z.string(), error_message: z.string() });

// Runs append to the first two; the journal knows what earlier runs wrote to a table that is made anew here.
for (const file of [deadLetterPath, payloadLogPath, journalPath]) rmSync(file, { force: true });
createDatabase(databasePath);
const result = await pipeline.run();

const { enriched, encounterCount } = readDatabase();
showRows(enriched);
showCategories(enriched);
showFailures();
const again = await pipeline.run();
showSecondRun();
showFiles();
if (result.error !== null) console.error(`The run ended early: ${result.error.message}`);
const isUnchanged = again.unchangedCount === result.successCount && again.usage.calls === 0;
if (!isUnchanged) console.error("The second run should have had nothing to do.");
const addsUp = result.successCount === enriched.length && enriched.length + result.failureCount === encounterCount;
if (!addsUp) console.error(`The counts do not add up to the ${encounterCount} encounters in the table.`);
// Failed rows are expected here, so they are no reason to exit with 1, as run.ts does.
process.exitCode = result.status === "completed" && addsUp && isUnchanged ? 0 : 1;
console.log(`Processed: ${result.successCount}, Failed: ${result.failureCount}`);

function readDatabase(): { enriched: z.output<typeof Enriched>[]; encounterCount: number } {
  const database = new DatabaseSync(databasePath, { readOnly: true });
  try {
    const rows = database.prepare("SELECT * FROM enriched_encounters ORDER BY encounter_id").all();
    const total = database.prepare("SELECT count(*) AS count FROM encounters").get();
    return { enriched: z.array(Enriched).parse(rows), encounterCount: z.object({ count: z.int() }).parse(total).count };
  } finally {
    database.close();
  }
}

function showRows(rows: z.output<typeof Enriched>[]): void {
  showLine("encounter_id", "visit_category", "conf.", "clinical_summary");
  const step = Math.ceil(rows.length / 8);
  for (const row of rows.filter((_, index) => index % step === 0)) {
    showLine(row.encounter_id, row.visit_category, row.confidence.toFixed(2), firstColumns(row.clinical_summary, 50));
  }
}

function showLine(id: string, category: string, confidence: string, summary: string): void {
  console.log(`${id.padEnd(13)} ${category.padEnd(27)} ${confidence.padEnd(5)} ${summary}`);
}

function showCategories(rows: z.output<typeof Enriched>[]): void {
  console.log("\nEncounters by category:");
  const groups = Map.groupBy(rows, (row) => row.visit_category);
  for (const [category, { length }] of [...groups].toSorted(([, left], [, right]) => right.length - left.length)) {
    console.log(`${String(length).padStart(5)}  ${category}`);
  }
}

function showFailures(): void {
  console.log("\nFailed rows by code (expected: the table has a few hard rows), as the dead letter file has them:");
  const lines = readFileSync(deadLetterPath, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  const failed = lines.map((line) => FailedRow.parse(JSON.parse(line)));
  for (const [code, rows] of Map.groupBy(failed, (row) => row.error_code)) {
    console.log(`${String(rows.length).padStart(5)}  ${code}`);
    for (const { pk, error_message } of rows.slice(0, 2))
      console.log(`       ${pk}: ${firstColumns(error_message, 80)}`);
  }
}

function showSecondRun(): void {
  const { unchangedCount, failureCount, usage } = again;
  console.log(`\nThe same once more: ${unchangedCount} rows unchanged and not written, ${usage.calls} calls made,`);
  console.log(`${usage.reusedAnswers} answers had from the journal; the ${failureCount} failed rows were tried again.`);
}

function showFiles(): void {
  console.log("\nFiles:");
  const files = {
    database: databasePath,
    "dead letter file": deadLetterPath,
    "payload log": payloadLogPath,
    journal: journalPath,
  };
  for (const [name, url] of Object.entries(files)) {
    console.log(`  ${name.padEnd(17)} ${relative(process.cwd(), fileURLToPath(url))}`);
  }
  console.log("");
}

/** The beginning of a text that fits so many columns of a terminal. An emoji takes two, a control character none. */
function firstColumns(text: string, columns: number): string {
  const characters = [...new Intl.Segmenter("en").segment(text.replaceAll(/[\s\p{Cc}]+/gu, " ").trim())];
  let used = 0;
  const fits = characters.filter(
    ({ segment }) => (used += /\p{Extended_Pictographic}/u.test(segment) ? 2 : 1) < columns,
  );
  return fits.map(({ segment }) => segment).join("") + (fits.length < characters.length ? "…" : "");
}
