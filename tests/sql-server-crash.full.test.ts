import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { SQLServerJournal } from "../src/journals/sql-server.ts";
import { readLines } from "./support/run-rows.ts";
import { simulatorFor } from "./support/simulator.ts";
import { startTargetServer } from "./support/sql-server-target.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const root = temporaryFolder();
const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const pipeline = fileURLToPath(new URL("./fixtures/sql-server/pipeline.ts", import.meta.url));
const rowCount = 400;
const kills = 10;

const tables = `
  CREATE TABLE dbo.encounters (encounter_id VARCHAR(20) PRIMARY KEY, clinical_notes NVARCHAR(MAX) NOT NULL, department NVARCHAR(100) NOT NULL);
  CREATE TABLE dbo.enriched_encounters (
    encounter_id VARCHAR(20) NOT NULL PRIMARY KEY,
    visit_category NVARCHAR(100) NOT NULL,
    confidence DECIMAL(3,2) NOT NULL,
    clinical_summary NVARCHAR(500) NOT NULL,
    department NVARCHAR(20) NOT NULL,
    processed_at DATETIME2(7) NOT NULL)`;

/** Of a hundred rows, one has a department that is too long for its column, and one that a constraint refuses. */
function departmentOf(number: number): string {
  if (number % 100 === 37) return "Department of Internal Medicine";
  return number % 100 === 73 ? "Forbidden" : "Cardiology";
}

const Failed = z.object({ pk: z.string(), error_code: z.string(), error_message: z.string() });

for (const journal of ["sqlite", "sql-server"] as const) {
  const title = "killed ten times, over a server that deadlocks, drops connections and loses an answer";
  test(`design §3's pipeline with its journal in ${journal}, ${title}`, async (t) => await killAndRun(t, journal));
}

async function killAndRun(t: TestContext, journal: "sqlite" | "sql-server"): Promise<void> {
  const folder = join(root, journal);
  mkdirSync(folder);
  const simulator = await simulatorFor(t, { latencyMs: 5 });
  const server = await startTargetServer({ sql: tables }, t);
  const key = (number: number): string => `enc_${String(number).padStart(5, "0")}`;
  const rows = Array.from({ length: rowCount }, (_, index) => ({
    encounter_id: key(index),
    clinical_notes: `Encounter ${index * 7919}: sudden chest pain, brought in by ambulance. Stable since.`,
    department: departmentOf(index),
  }));
  server.table("dbo.encounters").insert(rows);
  await server.run(new SQLServerJournal().createStatements());
  const target = server.table("dbo.enriched_encounters");
  target.check("CK_department", ({ department }) => department !== "Forbidden");
  const deadlocks = server.faults.add({ on: /MERGE |UPDATE .*sessions/, probability: 0.05, seed: 1, error: 1205 });
  const drops = server.faults.add({
    on: /MERGE |^SELECT TOP|^BULK|INSERT INTO .*answers/,
    probability: 0.02,
    seed: 2,
    drop: "before",
  });
  const lost = server.faults.add({ on: /^COMMIT/, nth: 5, drop: "after" });

  const run = () => {
    const child = spawn(process.execPath, [main, "run", pipeline], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 60_000,
      env: {
        PATH: process.env["PATH"],
        NODE_V8_COVERAGE: "", // it would be cut off, too
        ...{ CRASH_FOLDER: folder, CRASH_JOURNAL: journal, SQL_SERVER_CONN: server.connectionString },
        AZURE_OPENAI_ENDPOINT: simulator.url,
        ...{ AZURE_OPENAI_API_KEY: "key", AZURE_OPENAI_DEPLOYMENT: "gpt-test" },
      },
    });
    const output = Promise.all([text(child.stdout), text(child.stderr)]);
    return { child, ended: once(child, "exit").then(async ([code]) => ({ code, output: await output })) };
  };
  for (let kill = 1; kill <= kills; kill += 1) {
    const { child, ended } = run();
    const wanted = ((2 * rowCount) / (kills + 2)) * kill;
    while (simulator.statistics().requests < wanted && child.exitCode === null) await setTimeout(2);
    await setTimeout((kill * 7) % 20);
    const isKilled = child.kill("SIGKILL");
    const { output } = await ended;
    assert.ok(isKilled, `it had ended before it was killed: ${output.join("")}`);
  }
  const { code, output } = await run().ended;
  const [stdout, stderr] = output;

  const bad = rows.filter(({ department }) => department !== "Cardiology");
  const good = rows.filter(({ department }) => department === "Cardiology");
  assert.equal(stdout, `Processed: ${good.length}, Failed: ${bad.length}\n`, stderr);
  assert.equal(code, 1);
  assert.deepEqual(
    target
      .rows()
      .map((row) => row["encounter_id"])
      .toSorted(),
    good.map((row) => row.encounter_id),
  );
  const lines = readLines(join(folder, "failed.jsonl")).map((line) => Failed.parse(line));
  const causes = new Map(lines.map(({ pk, error_code, error_message }) => [pk, `${error_code}: ${error_message}`]));
  assert.deepEqual(
    [...causes.keys()].toSorted(),
    bad.map((row) => row.encounter_id),
  );
  for (const { encounter_id: pk, department } of bad) {
    const expected =
      department === "Forbidden" ? /SINK_DATA_REFUSED: .*547.*CK_department/s : /VALUE_DOES_NOT_FIT: department: .*20/s;
    assert.match(causes.get(pk) ?? "", expected);
  }
  assert.ok(simulator.statistics().requests <= 2 * rowCount + kills * 8, "more was paid for twice than was in flight");
  const hits = [deadlocks, drops, lost].map((fault) => fault.hits);
  assert.ok(
    hits.every((count) => count > 0),
    `the faults have not happened: ${hits.join()}, of ${[...new Set(server.statements.map((one) => one.text.slice(0, 40)))].join(" | ")}`,
  );
  assert.equal(existsSync(join(folder, "journal.db-wal")), false);
}
