import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { commandLine } from "../../support/terminal.ts";

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/pipelines/${name}.ts`, import.meta.url));

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
  assert.match(stderr, /aborted/);
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
