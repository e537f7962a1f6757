import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runCommandLine } from "../../../src/cli/program.ts";
import type { RunEvent } from "../../../src/index.ts";
import settled from "../../fixtures/pipelines/settled.ts";
import { Screen } from "../../support/screen.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { commandLine, testTerminal } from "../../support/terminal.ts";

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/pipelines/${name}.ts`, import.meta.url));
const folder = temporaryFolder();

/** Text of a terminal for a snapshot, without a run's id, its duration, the messages of rows and the project's folder. */
const asTyped = {
  serializers: [
    (text: string) =>
      text
        .replaceAll(/run [\da-f]{8}/g, "run 00000000")
        .replaceAll(/in [\d.]+ m?s/g, "in 0 ms")
        .replaceAll(/^ {12}.*$/gm, "            (message)")
        .replaceAll(/[^\s(]*(?=(?:tests|docs)\/)/g, ""),
  ],
};

test("it runs the default export; the result is the last line of stdout, failures stand on stderr, exit code 1", async () => {
  const { exitCode, stdout, stderr } = await commandLine(["run", fixture("good")]);
  assert.equal(stdout, "Processed: 9, Failed: 0\n");
  assert.match(stderr, /^fixture, run [\da-f]{8}: fixture → kind → memory\n/);
  assert.match(stderr, /^ {2}rows +10 read, 9 written, 1 skipped$/m);
  assert.match(stderr, /^ {2}skipped +1 × EMPTY_INPUT, .* 4 \(r4\) .*\bkind:\n {12}kind: /m);
  assert.equal(exitCode, 1);
});

test("--limit reads that number of rows; all fine is exit code 0", async () => {
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
  assert.match(stderr, /^ {2}rows +3 read, 2 written, 1 pending$/m);
  assert.match(
    stderr,
    /^failed: llm-etl: .* \[AUTHENTICATION_FAILED\]\n {2}at .*stopped\.ts:21\n {2}see .*\.md#authentication_failed\n$/m,
  );
});

test("SIGINT stops the run, and the listeners are gone afterwards", async () => {
  const signals = new EventEmitter();
  const running = commandLine(["run", fixture("waits")], signals);
  while (signals.listenerCount("SIGINT") === 0) await new Promise((resolve) => setImmediate(resolve));
  signals.emit("SIGINT");
  const { exitCode, stderr } = await running;
  assert.equal(exitCode, 3);
  assert.match(stderr, /^aborted: llm-etl: .*SIGINT.* \[ABORTED\]\n/m);
  assert.ok(stderr.endsWith("#aborted\n"), "without a journal there is no advice to run again");
  assert.deepEqual([signals.listenerCount("SIGINT"), signals.listenerCount("SIGTERM")], [0, 0]);
});

test("a module that is not there, has no default export, no sink or a wrong option: one sentence, no stack, exit code 2", async () => {
  const cases: [name: string, code: string, named: string][] = [
    ["not-there", "PIPELINE_MODULE_INVALID", "not-there.ts"],
    ["no-default", "PIPELINE_MODULE_INVALID", "`export default"],
    ["no-sink", "PIPELINE_MODULE_INVALID", ".to(…)"],
    ["wrong-option", "INVALID_OPTION", '"concurrency"'],
    ["broken", "PIPELINE_MODULE_INVALID", "broken.ts:1)"],
    ["throws", "PIPELINE_MODULE_INVALID", "throws.ts:4;"],
  ];
  for (const [name, code, named] of cases) {
    const { exitCode, stdout, stderr } = await commandLine(["run", fixture(name)]);
    assert.deepEqual([exitCode, stdout], [2, ""], name);
    assert.ok(stderr.includes(named), stderr);
    assert.match(
      stderr,
      new RegExp(`^llm-etl: .* \\[${code}\\]\n(  at .*\n)?  see .*errors\\.md#${code.toLowerCase()}\n$`),
    );
    assert.doesNotMatch(stderr, /\n {4}at /);
  }
});

test("--debug shows the stack of a user's mistake", async () => {
  const { stderr } = await commandLine(["--debug", "run", fixture("wrong-option")]);
  assert.match(stderr, /\n {4}at /);
});

test("a value that does not fit is rejected with its option, the value and what is expected, exit code 2", async (t) => {
  const cases: [option: string, value: string][] = [
    ["--limit", "0"],
    ["--limit", "ten"],
    ["--concurrency", "-1"],
    ["--batch-size", "2.5"],
    ["--max-cost", "0"],
    ["--max-cost", "free"],
    ["--max-row-errors", "1.5"],
    ["--on-row-error", "ignore"],
    ["--param", "novalue"],
    ["--param", "=x"],
  ];
  let said = "";
  for (const [option, value] of cases) {
    const { exitCode, stdout, stderr } = await commandLine(["run", fixture("good"), option, value]);
    assert.deepEqual([exitCode, stdout], [2, ""], `${option} ${value}`);
    assert.match(stderr, new RegExp(`^error: .*${option} <.*>.*'${value}'`));
    said += stderr;
  }
  t.assert.snapshot(said, asTyped);
});

test("sentences of the command line", async (t) => {
  const { stderr: fine } = await commandLine(["run", fixture("good")]);
  const { stderr: stopped } = await commandLine(["run", fixture("stopped")]);
  t.assert.snapshot(`${fine}\n${stopped}`, asTyped);
});

test("without a module it runs the pipeline.ts that is here, and says what to do where there is none", async (t) => {
  const home = process.cwd();
  t.after(() => process.chdir(home));
  process.chdir(mkdtempSync(join(folder, "here ")));
  const nothing = await commandLine(["run"]);
  assert.deepEqual([nothing.exitCode, nothing.stdout], [2, ""]);
  assert.match(nothing.stderr, /^llm-etl: .*pipeline\.ts.*llm-etl init \[PIPELINE_MODULE_INVALID\]\n/);
  writeFileSync("pipeline.ts", `export { default } from ${JSON.stringify(pathToFileURL(fixture("good")).href)};`);
  const { exitCode, stdout } = await commandLine(["run", "--limit", "3"]);
  assert.deepEqual([exitCode, stdout], [0, "Processed: 3, Failed: 0\n"]);
});

/** The events of a run with `--json`, with its exit code and stderr. */
async function eventsOf(...words: readonly string[]) {
  const { exitCode, stdout, stderr } = await commandLine(["run", ...words, "--json"]);
  assert.match(stdout, /^(\{.*\}\n)*$/);
  const events = stdout
    .split("\n")
    .slice(0, -1)
    .map((line): RunEvent => JSON.parse(line));
  return { exitCode, stderr, events };
}

test("options win over the module's: each of them stops the run, or shows, until another value is given", async () => {
  const willing = {
    "--on-row-error": "skip",
    "--max-row-errors": "10",
    "--max-cost": "100",
    "--concurrency": "7",
    "--batch-size": "3",
  };
  const run = async (without?: keyof typeof willing) => {
    const given = Object.entries(willing).filter(([name]) => name !== without);
    const { events, exitCode } = await eventsOf(fixture("settled"), ...given.flat());
    const [start] = events;
    const end = events.at(-1);
    assert.ok(start?.type === "run-start" && end?.type === "run-end");
    const batches = events.flatMap((event) => (event.type === "batch-start" ? [event.rowCount] : []));
    const { error, readCount, skippedCount } = end.report;
    const { concurrency } = start;
    return { exitCode, code: error?.code, readCount, skippedCount, concurrency, largestBatch: Math.max(...batches) };
  };
  const all = await run();
  const expected = { exitCode: 1, code: undefined, readCount: 20, skippedCount: 4, concurrency: 7, largestBatch: 3 };
  assert.deepEqual(all, expected);
  assert.deepEqual([(await run("--concurrency")).concurrency, (await run("--batch-size")).largestBatch], [2, 4]);
  const failed = await run("--on-row-error");
  assert.deepEqual([failed.exitCode, failed.code, failed.skippedCount], [1, "EMPTY_INPUT", 0]);
  const tooMany = await run("--max-row-errors");
  assert.deepEqual([tooMany.exitCode, tooMany.code], [3, "TOO_MANY_ROW_ERRORS"]);
  const tooDear = await run("--max-cost");
  assert.deepEqual([tooDear.exitCode, tooDear.code], [3, "LIMIT_REACHED"]);
});

test("--json: from run-start to run-end, whose figures are the sum of the events; nothing else on stdout", async () => {
  const { exitCode, stderr, events } = await eventsOf(
    ...[fixture("settled"), "--on-row-error", "skip", "--max-row-errors", "10", "--max-cost", "100"],
  );
  assert.deepEqual([exitCode, stderr], [1, ""]);
  const end = events.at(-1);
  assert.deepEqual([events[0]?.type, end?.type], ["run-start", "run-end"]);
  assert.ok(end?.type === "run-end");
  const { readCount, successCount, skippedCount, failuresByCode, usage, cost } = end.report;
  const outcomes = events.flatMap((event) => (event.type === "row-end" ? [event] : []));
  const calls = events.flatMap((event) => (event.type === "call-end" ? [event] : []));
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  assert.deepEqual(
    { readCount, successCount, skippedCount, failuresByCode },
    {
      readCount: events.filter(({ type }) => type === "row-start").length,
      successCount: outcomes.filter(({ outcome }) => outcome === "written").length,
      skippedCount: outcomes.filter(({ outcome }) => outcome === "skipped").length,
      failuresByCode: { EMPTY_INPUT: outcomes.filter(({ errorCode }) => errorCode === "EMPTY_INPUT").length },
    },
  );
  assert.deepEqual([readCount, successCount, usage.calls], [20, 16, 16]);
  assert.deepEqual(
    [usage.calls, usage.inputTokens, usage.outputTokens],
    [calls.length, sum(calls.map((call) => call.inputTokens)), sum(calls.map((call) => call.outputTokens))],
  );
  assert.ok(Math.abs((cost?.amount ?? 0) - sum(calls.map((call) => call.cost ?? 0))) < 1e-9);
  assert.deepEqual(
    events.filter(({ type }) => type === "source-count").map((event) => ("rowCount" in event ? event.rowCount : -1)),
    [20],
  );
});

test("--json: a run that does not start has one line, run-refused; its error is on stderr too", async () => {
  const { exitCode, stdout, stderr } = await commandLine(["run", fixture("good"), "--max-cost", "1", "--json"]);
  assert.equal(exitCode, 2);
  const { type, error } = JSON.parse(stdout);
  assert.deepEqual([type, error.code], ["run-refused", "INVALID_OPTION"]);
  assert.ok(stderr.includes(`${error.message} [INVALID_OPTION]`), stderr);
  const broken = await commandLine(["run", fixture("broken"), "--json"]);
  assert.equal(JSON.parse(broken.stdout).error.code, "PIPELINE_MODULE_INVALID");
});

test("--json and --quiet together are rejected, exit code 2", async () => {
  const { exitCode, stdout, stderr } = await commandLine(["run", fixture("good"), "--json", "--quiet"]);
  assert.deepEqual([exitCode, stdout], [2, ""]);
  assert.match(stderr, /^error: .*'--json'.*'--quiet'/);
});

test("--quiet leaves the result and what went wrong", async () => {
  const fine = await commandLine(["run", fixture("good"), "--quiet"]);
  assert.deepEqual(fine, { exitCode: 1, stdout: "Processed: 9, Failed: 0\n", stderr: "" });
  const stopped = await commandLine(["run", fixture("stopped"), "--quiet"]);
  assert.equal(stopped.stdout, "Processed: 2, Failed: 0\n");
  assert.match(stopped.stderr, /^failed: llm-etl: .* \[AUTHENTICATION_FAILED\]\n {2}at .*\n {2}see .*\n$/);
});

test("the source counts its rows for the progress, but with --no-count, and with --quiet, which shows none", async (t) => {
  const run = t.mock.method(settled, "run");
  for (const words of [[], ["--json"], ["--no-count"], ["--quiet"]])
    await commandLine(["run", fixture("settled"), ...words]);
  assert.deepEqual(
    run.mock.calls.map(({ arguments: [options] }) => options?.countRows),
    [true, true, false, false],
  );
});

test("in a terminal there is an area while it runs, and nothing of it when it has ended; stdout has the result only", async () => {
  const screen = new Screen();
  let deepest = 0;
  const terminal = testTerminal({
    screen: { isTTY: true, columns: 60, rows: 24, hasColors: () => true },
    onStderr: (text) => {
      screen.write(text);
      deepest = Math.max(deepest, screen.lines.length);
    },
  });
  assert.equal(await runCommandLine(["run", fixture("good")], terminal), 1);
  assert.equal(terminal.written.stdout, "Processed: 9, Failed: 0\n");
  assert.ok(deepest >= 5, "the area was never drawn");
  const [first = "", second = ""] = screen.lines;
  assert.match(first, /^fixture, run [\da-f]{8}: fixture → kind → memory$/);
  assert.match(second, /^completed in .*, run [\da-f]{8}$/);
  assert.ok(!screen.lines.some((line) => /[━─]|in flight/.test(line)), screen.lines.join("\n"));
});

test("--debug shows where the cause was thrown, and the words of a row's cause not even then", async () => {
  const { stderr } = await commandLine(["--debug", "run", fixture("step-throws")]);
  assert.match(stderr, /"age".* RangeError at tests.*step-throws\.ts:6 \[STEP_FAILED\]\n/);
  assert.match(stderr, /\ncaused by RangeError\n {4}at ageOf \(file:.*step-throws\.ts:6:9\)\n/);
  assert.ok(!stderr.includes("no age"), stderr);
});

test("--debug shows file and line of a module that can't be read", async () => {
  const { stderr } = await commandLine(["--debug", "run", fixture("broken")]);
  assert.match(stderr, /\ncaused by SyntaxError .*at .*broken\.ts:1\n/);
});
