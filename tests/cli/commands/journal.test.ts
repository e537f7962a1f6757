import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { SQLiteJournal } from "../../../src/journals/sqlite.ts";
import { runFacts } from "../../../src/testing/journal-samples.ts";
import { journaledModule, type JournaledModuleOptions } from "../../support/journaled-module.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { commandLine } from "../../support/terminal.ts";

const root = temporaryFolder();
const newFolder = (): string => mkdtempSync(join(root, "case-"));

/** Runs a pipeline and gives the number of its calls. */
async function callsOf(module: string, ...words: readonly string[]): Promise<number> {
  const { stdout, exitCode, stderr } = await commandLine(["run", module, "--json", ...words]);
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "").report.usage.calls;
}

async function jsonOf(...words: readonly string[]) {
  const { stdout, stderr, exitCode } = await commandLine([...words, "--json"]);
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout);
}

function findingsOf({ findings }: Awaited<ReturnType<typeof jsonOf>>): Record<string, unknown> {
  return Object.fromEntries(
    findings.map(({ what, goes, stays }: { what: string; goes: number; stays: object }) => [what, { goes, ...stays }]),
  );
}

/** A pipeline that ran with three prompts, the last of which is the module's. */
async function thricePrompted(
  given: Partial<JournaledModuleOptions> = {},
): Promise<{ folder: string; module: string }> {
  const folder = newFolder();
  let module = "";
  for (const prompt of ["first", "second", "third"]) {
    module = journaledModule({ folder, prompt, ...given });
    assert.equal(await callsOf(module), 20);
  }
  return { folder, module };
}

test("after changed prompts prune leaves what the rows use: a run that reads everything makes no call", async () => {
  const { module } = await thricePrompted();
  const dry = await jsonOf("journal", "prune", module, "--older-than", "0d");
  assert.equal(dry.isRemoved, false);
  const expected = { goes: 40, used: 20 };
  assert.deepEqual(findingsOf(dry)["answers"], expected);
  const done = await jsonOf("journal", "prune", module, "--older-than", "0d", "--yes");
  assert.equal(done.isRemoved, true);
  assert.deepEqual(findingsOf(done)["answers"], expected);
  assert.deepEqual(findingsOf(done)["runs"], { goes: 2, newest: 1 });
  assert.ok(done.size < done.sizeBefore, `${done.size} bytes, ${done.sizeBefore} before`);
  assert.equal(await callsOf(module, "--full"), 0);
  assert.equal(await callsOf(module, "--fresh"), 0);
});

test("rows that did not change by a new prompt use its answers, and no others", async () => {
  const folder = newFolder();
  const same = { answer: "Always the same." };
  assert.equal(await callsOf(journaledModule({ folder, ...same })), 20);
  const module = journaledModule({ folder, prompt: "second", ...same });
  assert.equal(await callsOf(module), 20);
  const { findings } = await jsonOf("journal", "prune", module, "--older-than", "0h", "--yes");
  assert.deepEqual(findingsOf({ findings })["answers"], { goes: 20, used: 20 });
  assert.equal(await callsOf(module), 0);
});

test("what is younger stays, and prune says what goes and what stays, and why", async () => {
  const { module } = await thricePrompted();
  const { stdout, exitCode } = await commandLine(["journal", "prune", module, "--older-than", "90d"]);
  assert.equal(exitCode, 0);
  assert.match(stdout, /^answers +0 +60 +40 younger, 20 used by a row's last outcome$/m);
  assert.match(stdout, /^runs +0 +3 +3 younger$/m);
  assert.match(stdout, /^Nothing was removed: --yes does it\.$/m);
  for (const age of ["90", "-1d", "1m", "d", ""]) {
    assert.equal((await commandLine(["journal", "prune", module, "--older-than", age])).exitCode, 2, age);
  }
  assert.equal((await commandLine(["journal", "prune", module])).exitCode, 2);
});

test("prune does not run beside a run; a dry run, and info, do", async () => {
  const { folder, module } = await thricePrompted();
  const session = await new SQLiteJournal({ path: join(folder, "journal.db") }).open(
    runFacts("other"),
    new AbortController().signal,
  );
  const denied = await commandLine(["journal", "prune", module, "--older-than", "0d", "--yes"]);
  assert.equal(denied.exitCode, 2);
  assert.match(denied.stderr, /JOURNAL_IN_USE/);
  assert.equal((await jsonOf("journal", "prune", module, "--older-than", "0d")).isRemoved, false);
  assert.notEqual((await jsonOf("journal", "info", module)).holder, null);
  await session.close();
});

test("--sink forgets a sink that is not the pipeline's own, and names those that are known", async () => {
  const { folder, module } = await thricePrompted();
  const moved = journaledModule({ folder, prompt: "third", table: "moved" });
  assert.equal(await callsOf(moved), 0);
  const prune = ["journal", "prune", moved, "--older-than", "0d", "--sink"];
  const dropped = join(folder, "target.db/notes");
  const found = await jsonOf(...prune, dropped, "--yes");
  assert.deepEqual(findingsOf(found)["rows"], { goes: 20, kept: 20 });
  assert.deepEqual(findingsOf(found)["answers"], { goes: 40, used: 20 });
  const { sinks } = await jsonOf("journal", "info", module);
  assert.equal(sinks.length, 1);
  for (const [sink, fault] of [
    [dropped, /target\.db\/moved/],
    [join(folder, "target.db/moved"), /include-current/],
  ] as const) {
    const { exitCode, stderr } = await commandLine([...prune, sink]);
    assert.equal(exitCode, 2);
    assert.match(stderr, fault);
  }
  const { sinkKey } = sinks[0];
  const byKey = await jsonOf("journal", "prune", module, "--older-than", "0d", "--sink", sinkKey, "--include-current");
  assert.deepEqual(findingsOf(byKey)["rows"], { goes: 20 });
});

test("info tells size, runs, answers by age and the rows of each sink", async () => {
  const { folder, module } = await thricePrompted();
  const info = await jsonOf("journal", "info", module);
  assert.equal(info.journal, join(folder, "journal.db"));
  assert.ok(info.size > 4096);
  assert.equal(info.runs.count, 3);
  const [first, last] = [info.runs.first, info.runs.last].map((time: string) => Date.parse(time));
  assert.ok(first !== undefined && last !== undefined && first < last && last <= Date.now());
  assert.deepEqual(
    info.answers.map(({ steps, count, countByAge }: { steps: string[]; count: number; countByAge: number[] }) => [
      steps,
      count,
      countByAge,
    ]),
    [[["sum"], 60, [60, 0, 0, 0]]],
  );
  assert.deepEqual(
    info.sinks.map(({ writtenCount, failedCount, otherCount }: Record<string, number>) => [
      writtenCount,
      failedCount,
      otherCount,
    ]),
    [[20, 0, 0]],
  );
  assert.deepEqual(info.dueRows, {});
  const { stdout } = await commandLine(["journal", "info", module]);
  assert.match(stdout, /^answers +60$/m);
  assert.match(stdout, /target\.db\/notes +20 +0 +0$/m);
});

test("a journal that is off, not there yet or of a kind that leaves it out is an error that says so", async () => {
  const folder = newFolder();
  const off = journaledModule({ folder, journal: '"off"' });
  const missing = journaledModule({ folder });
  const own = journaledModule({
    folder,
    journal: `{ name: "own", identity: "own", open: async () => { throw new Error("none"); }, reader: async () => ({ close: async () => {} }) }`,
  });
  for (const [module, code] of [
    [off, /"off".*INVALID_OPTION/],
    [missing, /is not there yet.*JOURNAL_FAILED/],
    [own, /own.*JOURNAL_FAILED/],
  ] as const) {
    for (const words of [["info"], ["prune", "--older-than", "1d", "--yes"]]) {
      const { exitCode, stderr } = await commandLine(["journal", ...words, module]);
      assert.equal(exitCode, 2);
      assert.match(stderr, code);
    }
  }
  writeFileSync(join(folder, "journal.db"), "no journal at all".repeat(100));
  assert.match((await commandLine(["journal", "info", missing])).stderr, /JOURNAL_FAILED/);
});
