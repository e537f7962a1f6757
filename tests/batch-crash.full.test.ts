// Full lane: a process of its own for each kill. LLM_ETL_KILLS=40 makes forty.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { SimulatorBatchEvent } from "../src/testing/simulator/batch/words.ts";
import { PostgreSQLJournal } from "../src/journals/postgresql.ts";
import { startAzureOpenAISimulator } from "../src/testing/simulator/server.ts";
import { prices } from "./support/planned.ts";
import { noPostgreSQL, testDatabase } from "./support/postgresql/database.ts";
import { randomNumbers } from "./support/random-numbers.ts";
import { execute, query } from "./support/sqlite.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const script = fileURLToPath(new URL("fixtures/batched.ts", import.meta.url));
const folder = temporaryFolder();
const database = testDatabase();
const killCount = Number(process.env["LLM_ETL_KILLS"] ?? 12);

interface Site {
  readonly folder: string;
  readonly endpoint: string;
}

function newFolder(): string {
  const own = mkdtempSync(join(folder, "batch "));
  execute(join(own, "target.db"), "CREATE TABLE notes (id TEXT PRIMARY KEY, kind TEXT, summary TEXT)");
  return own;
}

function start({ folder: own, endpoint }: Site, environment: Readonly<Record<string, string>> = {}): ChildProcess {
  const env = { ...process.env, FOLDER: own, ENDPOINT: endpoint, ...environment };
  return spawn(process.execPath, [script], { env, stdio: ["ignore", "pipe", "inherit"] });
}

const rowsIn = (own: string) => query(join(own, "target.db"), "SELECT * FROM notes ORDER BY id");

const behaviour = { prices, seed: 4, faults: { invalidJSON: 0.05 }, batch: { stepMs: 20 } } as const;

/** The events of an undisturbed run, and the rows of one over single calls. */
async function undisturbed(): Promise<{ readonly events: number; readonly rows: unknown }> {
  let events = 0;
  const simulator = await startAzureOpenAISimulator({ ...behaviour, onBatchEvent: () => void (events += 1) });
  try {
    const batched = { folder: newFolder(), endpoint: simulator.url };
    await once(start(batched), "close");
    const online = { folder: newFolder(), endpoint: simulator.url };
    await once(start(online, { ONLINE: "1" }), "close");
    assert.deepEqual(rowsIn(batched.folder), rowsIn(online.folder), "the same rows as online");
    return { events, rows: rowsIn(batched.folder) };
  } finally {
    await simulator.close();
  }
}

test(`a run over batches that is killed at ${killCount} of its exchanges submits nothing twice, loses nothing, and writes the same rows`, async (t) => {
  const { events, rows } = await undisturbed();
  t.diagnostic(`${events} exchanges`);
  assert.ok(events >= 15);
  let killed = 0;
  for (let kill = 0; kill < killCount; kill += 1) {
    const at = 1 + Math.floor((kill * events) / killCount);
    let seen = 0;
    let child: ChildProcess | undefined;
    let operation = "";
    /** The side effect is done, and its answer never arrives. */
    const onBatchEvent = async (event: SimulatorBatchEvent): Promise<void> => {
      seen += 1;
      if (seen !== at) return;
      ({ operation } = event);
      child?.kill("SIGKILL");
      if (child !== undefined) await once(child, "close");
    };
    const simulator = await startAzureOpenAISimulator({ ...behaviour, onBatchEvent });
    try {
      const site = { folder: newFolder(), endpoint: simulator.url };
      child = start(site);
      const [, signal] = await once(child, "close");
      if (signal === "SIGKILL") killed += 1; // how often a batch is looked after depends on the machine's pace
      const again = start(site);
      const [exitCode] = await once(again, "close");
      assert.equal(exitCode, 0, `${at}: ${operation}`);
      assert.deepEqual(rowsIn(site.folder), rows, `${at}: ${operation}`);
      for (const [id, { billed }] of Object.entries(simulator.batches().lines)) {
        assert.equal(billed, 1, `${at}: ${operation}, ${id}`);
      }
    } finally {
      await simulator.close();
    }
  }
  t.diagnostic(`${killed} were killed`);
  assert.ok(killed >= 0.7 * killCount);
});

/** Runs, and is killed at random moments; each run goes on where the one before was. */
async function killAtMoments(count: number, environment: Readonly<Record<string, string>>): Promise<void> {
  const { rows } = await undisturbed();
  const random = randomNumbers(8);
  let killed = 0;
  const simulator = await startAzureOpenAISimulator({ ...behaviour, batch: { stepMs: 60 } });
  try {
    const site = { folder: newFolder(), endpoint: simulator.url };
    for (let exitCode: number | null = null; exitCode === null;) {
      const child = start(site, environment);
      const timer = setTimeout(() => child.kill("SIGKILL"), killed < count ? 300 + 1500 * random() : 60_000);
      const [code, signal]: (number | string | null)[] = await once(child, "close");
      clearTimeout(timer);
      if (signal === "SIGKILL") killed += 1;
      else exitCode = Number(code);
    }
    assert.deepEqual(rowsIn(site.folder), rows);
    for (const [id, { billed }] of Object.entries(simulator.batches().lines)) assert.equal(billed, 1, id);
  } finally {
    await simulator.close();
  }
}

test("a run over batches that is killed at any moment submits nothing twice, loses nothing, and writes the same rows", async () => {
  for (let round = 0; round < killCount / 4; round += 1) await killAtMoments(4, {});
});

test("the same with an encrypted journal in PostgreSQL", { skip: noPostgreSQL }, async () => {
  await database.run(new PostgreSQLJournal({ connectionString: database.url() }).createStatements());
  await killAtMoments(4, { JOURNAL_URL: database.url() });
});
