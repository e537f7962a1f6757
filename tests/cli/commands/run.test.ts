import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { setTimeout } from "node:timers/promises";
import { sameSignalMs } from "../../../src/cli/signals.ts";
import { readRuns } from "../../../src/journal/run-history.ts";
import { journaledFolder, notesIn, startCommand } from "../../support/command.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { commandLine } from "../../support/terminal.ts";

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/pipelines/${name}.ts`, import.meta.url));
const folder = temporaryFolder();

/** The calls of each run of the fixture `journaled`, the newest first. */
async function callsIn(place: string): Promise<number[]> {
  return (await readRuns(join(place, "journal.db"))).map(({ figures }) => figures.usage.calls);
}

test("it runs the default export; the result is the last line of stdout, failures stand on stderr, exit code 1", async () => {
  const { exitCode, stdout, stderr } = await commandLine(["run", fixture("good")]);
  assert.equal(stdout, "Processed: 9, Failed: 0\n");
  assert.match(stderr, /1 × EMPTY_INPUT/);
  assert.match(stderr, /Skipped: 1/);
  assert.equal(exitCode, 1);
});

test("--limit reads so many rows; all fine is exit code 0", async () => {
  const { exitCode, stdout } = await commandLine(["run", fixture("good"), "--limit", "3", "--concurrency", "1"]);
  assert.deepEqual([exitCode, stdout], [0, "Processed: 3, Failed: 0\n"]);
});

test("--param is given to the source as text, an = in the value included", async () => {
  const { exitCode } = await commandLine([
    "run",
    fixture("good"),
    "--limit",
    "1",
    "--param",
    "department=A=B",
    "--param",
    "x=",
  ]);
  assert.equal(exitCode, 0);
});

test("a run that is stopped says why and how much is pending, exit code 3", async () => {
  const { exitCode, stdout, stderr } = await commandLine(["run", fixture("stopped")]);
  assert.equal(exitCode, 3);
  assert.equal(stdout, "Processed: 2, Failed: 0\n");
  assert.match(stderr, /failed: llm-etl: 401: look at the key \[AUTHENTICATION_FAILED\]/);
  assert.match(stderr, /Pending: 1/);
});

test("SIGINT stops the run, and the listeners are gone afterwards", async () => {
  const signals = new EventEmitter();
  const running = commandLine(["run", fixture("waits")], signals);
  while (signals.listenerCount("SIGINT") === 0) await new Promise((resolve) => setImmediate(resolve));
  signals.emit("SIGINT");
  const { exitCode, stderr } = await running;
  assert.equal(exitCode, 3);
  assert.match(stderr, /aborted: llm-etl: SIGINT stopped the run \[ABORTED\]/);
  assert.ok(!stderr.includes("to go on"), "there is no journal to go on from");
  assert.deepEqual([signals.listenerCount("SIGINT"), signals.listenerCount("SIGTERM")], [0, 0]);
});

test("a module that is not there, has no default export, no sink or a wrong option: one sentence, no stack, exit code 2", async () => {
  const cases: [string, RegExp][] = [
    ["not-there", /there is no file .*not-there\.ts/],
    ["no-default", /it has no default export; expected `export default/],
    ["no-sink", /its pipeline has no sink: end it with \.to\(…\)/],
    ["wrong-option", /option "concurrency": expected a whole number from 1 up, got 0/],
    ["broken", /can't be imported: .* \(.*broken\.ts:1\) \[PIPELINE_MODULE_INVALID\]\n$/],
    ["throws", /can't be imported: the settings have no table \(.*throws\.ts:4\) \[PIPELINE_MODULE_INVALID\]\n$/],
  ];
  for (const [name, message] of cases) {
    const { exitCode, stdout, stderr } = await commandLine(["run", fixture(name)]);
    assert.deepEqual([exitCode, stdout], [2, ""], name);
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n {4}at /);
  }
});

test("--debug shows the stack of a user's mistake", async () => {
  const { stderr } = await commandLine(["--debug", "run", fixture("wrong-option")]);
  assert.match(stderr, /\n {4}at /);
});

test("numbers and parameters that are none are refused, exit code 2", async () => {
  for (const words of [
    ["--limit", "0"],
    ["--limit", "ten"],
    ["--concurrency", "-1"],
    ["--param", "novalue"],
    ["--param", "=x"],
  ]) {
    const { exitCode, stderr } = await commandLine(["run", fixture("good"), ...words]);
    assert.equal(exitCode, 2, words.join(" "));
    assert.match(stderr, /Expected/);
  }
  assert.equal((await commandLine(["run"])).exitCode, 2);
});

test("--debug shows where the cause was thrown, and the words of a row's cause not even then", async () => {
  const { stderr } = await commandLine(["--debug", "run", fixture("step-throws")]);
  assert.match(stderr, /step "age" threw a RangeError \[STEP_FAILED\]\n/);
  assert.match(stderr, /\ncaused by RangeError\n {4}at ageOf \(file:.*step-throws\.ts:6:9\)\n/);
  assert.ok(!stderr.includes("no age"), stderr);
});

test("--debug shows file and line of a module that can't be read", async () => {
  const { stderr } = await commandLine(["--debug", "run", fixture("broken")]);
  assert.match(stderr, /\ncaused by SyntaxError .*at .*broken\.ts:1\n/);
});

for (const name of ["SIGINT", "SIGTERM"] as const) {
  test(`${name} in the middle: rows in flight are finished and written, and the next run asks for the rest only`, async () => {
    const FOLDER = journaledFolder(folder);
    const stopped = startCommand(["run", fixture("journaled")], { FOLDER, LATENCY_MS: "50" });
    await stopped.said(/begun r9\n/);
    stopped.child.kill(name);
    const { exitCode, stdout, stderr } = await stopped.ended;
    assert.equal(exitCode, 3, stderr);
    const [, processed = ""] = /^Processed: (\d+), Failed: 0\n$/.exec(stdout) ?? assert.fail(stdout);
    assert.ok(Number(processed) >= 9 && Number(processed) < 40, processed);
    assert.equal(notesIn(FOLDER).length, Number(processed));
    assert.match(stderr, new RegExp(`${name}: stopping\\. Rows in flight have up to 30 s`));
    assert.match(
      stderr,
      new RegExp(`aborted: .*${name} stopped the run \\[ABORTED\\]\nRun the same command again to go on\\.\n$`),
    );
    assert.doesNotMatch(stderr, /Pending/);

    const {
      exitCode: next,
      stderr: said,
      stdout: result,
    } = await startCommand(["run", fixture("journaled")], { FOLDER }).ended;
    assert.deepEqual([next, result], [0, "Processed: 40, Failed: 0\n"], said);
    assert.match(said, new RegExp(`^Unchanged: ${processed}$`, "m"));
    const reused = new RegExp(
      `^Reused answers: ${2 * Number(processed)} \\(saved [\\d,]+ input and [\\d,]+ output tokens, .* USD\\)$`,
      "m",
    );
    assert.match(said, reused);
    assert.deepEqual(await callsIn(FOLDER), [80 - 2 * Number(processed), 2 * Number(processed)]);

    const undisturbed = journaledFolder(folder);
    assert.equal((await startCommand(["run", fixture("journaled")], { FOLDER: undisturbed }).ended).exitCode, 0);
    assert.deepEqual(notesIn(FOLDER), notesIn(undisturbed));
    assert.deepEqual(await callsIn(undisturbed), [80]);
  });
}

test("a second Ctrl-C ends it at once, though calls would take minutes; what is complete is written", async () => {
  const FOLDER = journaledFolder(folder);
  const running = startCommand(["run", fixture("journaled")], { FOLDER, STUCK_FROM: "11" });
  await running.said(/begun r14\n/); // all four places hold a row that is stuck
  running.child.kill("SIGINT");
  await running.said(/SIGINT: stopping\. .*\n/);
  await setTimeout(sameSignalMs + 100);
  running.child.kill("SIGINT");
  const { exitCode, stdout, stderr } = await running.ended;
  assert.deepEqual([exitCode, stdout], [3, "Processed: 10, Failed: 0\n"], stderr);
  assert.match(stderr, /SIGINT: stopping at once\.\nPending: 4\n/);
  assert.equal(notesIn(FOLDER).length, 10);
  const next = await startCommand(["run", fixture("journaled")], { FOLDER }).ended;
  assert.deepEqual([next.exitCode, next.stdout], [0, "Processed: 40, Failed: 0\n"], next.stderr);
  assert.equal(notesIn(FOLDER).length, 40);
});

test("--fresh writes unchanged rows again, --no-cache asks again; neither is in the advice how to go on", async () => {
  const FOLDER = journaledFolder(folder);
  const run = async (...words: string[]) =>
    await startCommand(["run", fixture("journaled"), ...words], { FOLDER }).ended;
  await run();
  assert.match((await run()).stderr, /^Unchanged: 40$/m);
  const fresh = await run("--fresh");
  assert.deepEqual([fresh.exitCode, fresh.stdout], [0, "Processed: 40, Failed: 0\n"]);
  assert.match(fresh.stderr, /^Reused answers: 80 /m);
  assert.doesNotMatch(fresh.stderr, /Unchanged/);
  const asked = await run("--no-cache");
  assert.match(asked.stderr, /^Unchanged: 40$/m);
  assert.doesNotMatch(asked.stderr, /Reused/);
  assert.deepEqual(await callsIn(FOLDER), [80, 0, 0, 80]);

  const running = startCommand(["run", fixture("journaled"), "--fresh", "--no-cache"], { FOLDER, LATENCY_MS: "50" });
  await running.said(/begun r5\n/);
  running.child.kill("SIGTERM");
  assert.match(
    (await running.ended).stderr,
    /\nRun the same command again, without --fresh and --no-cache, to go on\.\n$/,
  );
});
