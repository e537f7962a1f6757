import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { mkdtempSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { JournalSession } from "../../src/contracts/journal.ts";
import { PostgreSQLJournal } from "../../src/journals/postgresql.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { answerOf, runFacts, runRecord, writtenRow } from "../../src/testing/journal-samples.ts";
import { startCommand } from "../support/command.ts";
import { journaledModule, type JournaledModuleOptions } from "../support/journaled-module.ts";
import { noPostgreSQL, testDatabase } from "../support/postgresql/database.ts";
import { journalIn, noSignal } from "../support/postgresql/journal.ts";
import { query } from "../support/sqlite.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const root = temporaryFolder();
const database = testDatabase();
const newFolder = (): string => mkdtempSync(join(root, "case-"));
const print = (text: string): string => hash("sha256", text);

/** Runs a command and gives the last line that it prints as JSON. */
async function jsonOf(...words: readonly string[]) {
  const { exitCode, stdout, stderr } = await startCommand([...words, "--json"]).ended;
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
}

async function callsOf(module: string, ...words: readonly string[]): Promise<number> {
  return (await jsonOf("run", module, ...words)).report.usage.calls;
}

function answersOf(findings: readonly { readonly what: string; readonly goes: number }[]): number | undefined {
  return findings.find(({ what }) => what === "answers")?.goes;
}

/** Answers of so many prompts for each row, as runs with attempts save them; the rows use those of the last. */
async function fill(session: JournalSession, prompts: number, rowCount: number): Promise<void> {
  const startedAt = new Date("2026-01-01T00:00:00Z");
  for (let prompt = 1; prompt <= prompts; prompt += 1) {
    const runId = `run-${prompt}`;
    const prints = Array.from({ length: rowCount }, (_, row) => print(`${prompt} ${row}`));
    await Promise.all(
      prints.map(async (each) => await session.answers.save(each, answerOf("A text of an answer. ".repeat(20), runId))),
    );
    const rows = prints.map((each, row) => ({ ...writtenRow(`${row}`), runId, fingerprints: [each] }));
    await session.rows.saveWritten("sink", rows);
    await session.runs.save(runRecord(runId, { startedAt, endedAt: startedAt, sink: "sink" }));
  }
}

/** The module of a pipeline, and a journal filled for it. */
async function filledModule(prompts: number, rowCount: number) {
  const folder = newFolder();
  const path = join(folder, "journal.db");
  const session = await new SQLiteJournal({ path }).open(runFacts("filling"), noSignal());
  await fill(session, prompts, rowCount);
  await session.close();
  return { module: journaledModule({ folder }), path };
}

/** The number of answers in the file, also while another process recovers its log. */
async function countIn(path: string, where = ""): Promise<number> {
  for (;;) {
    try {
      return Number(query(path, `SELECT count(*) AS n FROM answers ${where}`)[0]?.["n"]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.includes("locked")) throw error;
      await setTimeout(1);
    }
  }
}

test("after ten prompts and prune the file is at most 1.2 times that of one prompt", async (t) => {
  const [one, ten] = [await filledModule(1, 3000), await filledModule(10, 3000)];
  const [sizeOfOne, before] = [one, ten].map(({ path }) => statSync(path).size);
  const { findings } = await jsonOf("journal", "prune", ten.module, "--older-than", "1d", "--yes");
  assert.equal(answersOf(findings), 27_000);
  const after = statSync(ten.path).size;
  t.diagnostic(`one prompt: ${sizeOfOne} bytes; ten: ${before}; after prune: ${after}`);
  assert.ok(sizeOfOne !== undefined && after <= 1.2 * sizeOfOne, `${after} bytes, ${sizeOfOne} with one prompt`);
});

test("prune that is killed at any moment loses no answer that a row uses, and is completed by the next one", async () => {
  const { module, path } = await filledModule(4, 4000);
  const prune = ["journal", "prune", module, "--older-than", "1d", "--yes"];
  let midway = 0;
  for (let kill = 0; kill < 4; kill += 1) {
    const before = await countIn(path);
    const { child, ended } = startCommand(prune);
    const isOver = (): boolean => child.exitCode !== null;
    while (!isOver() && (await countIn(path)) === before) await setTimeout(1);
    await setTimeout(kill * 9);
    if (!isOver()) midway += 1;
    child.kill("SIGKILL");
    await ended;
    assert.equal(await countIn(path, "WHERE run_id = 'run-4'"), 4000);
  }
  assert.ok(midway > 0, "none was killed midway");
  await jsonOf(...prune);
  const counts = query(
    path,
    "SELECT (SELECT count(*) FROM answers) AS answers, (SELECT count(*) FROM fingerprints) AS indexed",
  );
  assert.deepEqual(counts, [{ answers: 4000, indexed: 4000 }]);
  const reader = await new SQLiteJournal({ path }).reader();
  const prints = Array.from({ length: 4000 }, (_, row) => print(`4 ${row}`));
  assert.equal((await reader?.answers.find(prints))?.size, 4000);
});

test("SIGTERM stops prune between two transactions, exit code 3, and the same command completes it", async () => {
  const { module, path } = await filledModule(8, 4000);
  const prune = ["journal", "prune", module, "--older-than", "1d", "--yes"];
  const { child, ended } = startCommand(prune);
  for (;;) {
    if ((await countIn(path)) < 32_000) break;
    await setTimeout(1);
  }
  child.kill("SIGTERM");
  const { exitCode, stderr } = await ended;
  const left = await countIn(path);
  if (left > 4000) assert.equal(exitCode, 3, stderr); // else it was faster
  await jsonOf(...prune);
  assert.deepEqual(query(path, "SELECT count(*) AS n FROM answers"), [{ n: 4000 }]);
});

/** A pipeline whose journal is in a schema of PostgreSQL, and the same with one in a file. */
async function pair(given: Partial<JournaledModuleOptions> = {}) {
  const folder = newFolder();
  const { options } = await journalIn(database);
  const journal = `new PostgreSQLJournal(${JSON.stringify(options)})`;
  const inFile = journaledModule({ folder, ...given });
  return { folder, options, inFile, inDatabase: journaledModule({ folder, journal, ...given }) };
}

test(
  "a copy from a file to PostgreSQL, killed and repeated: a run makes no call, and writes no row",
  { skip: noPostgreSQL },
  async () => {
    const { inFile, inDatabase } = await pair({ rowCount: 300 });
    assert.equal(await callsOf(inFile), 300);
    const copy = ["journal", "copy", inFile, inDatabase];
    for (let kill = 0; kill < 5; kill += 1) {
      const { child, ended, said } = startCommand(copy);
      await Promise.race([said(kill < 3 ? /copying (answers|rows)/ : /copying rows/), ended]);
      child.kill("SIGKILL");
      await ended;
    }
    let denied = 0; // the server may be late to notice the end of the one before
    while ((await startCommand(copy).ended).exitCode !== 0) assert.ok((denied += 1) < 20);
    const { findings } = await jsonOf(...copy);
    assert.ok(findings.every(({ copied }: { copied: number }) => copied === 0));
    const { report } = await jsonOf("run", inDatabase);
    assert.deepEqual([report.usage.calls, report.unchangedCount], [0, 300]);
    const back = await jsonOf("journal", "copy", inDatabase, journaledModule({ folder: newFolder(), rowCount: 300 }));
    assert.equal(back.findings.find(({ what }: { what: string }) => what === "answers").copied, 300);
  },
);

test(
  "in PostgreSQL prune leaves what rows of any pipeline use, and runs beside no run of any",
  { skip: noPostgreSQL },
  async () => {
    const { folder, options, inDatabase } = await pair();
    const journal = `new PostgreSQLJournal(${JSON.stringify(options)})`;
    assert.equal(await callsOf(inDatabase), 20);
    const second = journaledModule({ folder, journal, prompt: "second" });
    assert.equal(await callsOf(second), 20);
    const bills = journaledModule({ folder, journal, name: "bills", table: "bills" });
    assert.equal(await callsOf(bills), 0); // with the answers of the first prompt
    const prune = ["journal", "prune", second, "--older-than", "0d", "--yes"];
    assert.equal(answersOf((await jsonOf(...prune)).findings), 0);
    assert.equal(await callsOf(bills, "--fresh"), 0);
    const info = await jsonOf("journal", "info", bills);
    const answerCount = info.answers.reduce((sum: number, { count }: { count: number }) => sum + count, 0);
    assert.deepEqual([answerCount, info.sinks.length, info.holder], [40, 2, null]);
    assert.ok(info.size > 100_000);
    const session = await new PostgreSQLJournal(options).open({ ...runFacts("run"), pipeline: "a third" }, noSignal());
    const deniedPrune = await startCommand(prune).ended;
    assert.equal(deniedPrune.exitCode, 2);
    assert.match(deniedPrune.stderr, /JOURNAL_IN_USE/);
    await session.close();
    const dropped = join(folder, "target.db/bills");
    const forgotten = await jsonOf(...prune, "--sink", dropped);
    assert.equal(answersOf(forgotten.findings), 20);
    assert.equal(await callsOf(second, "--full"), 0);
  },
);
