import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runCommandLine } from "../../src/cli/program.ts";
import { UnhandledErrors } from "../../src/cli/unhandled.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { testTerminal } from "../support/terminal.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/pipelines/${name}.ts`, import.meta.url));
const folder = temporaryFolder();
const thrownHere = (): Error => new TypeError("Jane Roe is ill");
const place = /TypeError at tests.*unhandled\.test\.ts:\d+/;

/** Runs a command line; `during` is called once it listens for signals, with what takes the place of the process. */
async function commandWith(words: readonly string[], during: (process: EventEmitter) => void) {
  const signals = new EventEmitter();
  const terminal = testTerminal({ signals });
  const running = runCommandLine(words, terminal);
  while (signals.listenerCount("SIGINT") === 0) await new Promise((resolve) => setImmediate(resolve));
  during(signals);
  const exitCode = await running;
  const { stdout, stderr } = terminal.written;
  assert.ok(!`${stdout}${stderr}`.includes("Jane Roe"), `${stdout}${stderr}`);
  return { exitCode, stdout, stderr, signals, terminal };
}

for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  test(`${event} during a run stops it: report, exit code 3, class and line, no content`, async () => {
    const words = ["run", fixture("waits")];
    const { exitCode, stdout, stderr } = await commandWith(words, (process) => process.emit(event, thrownHere()));
    assert.equal(exitCode, 3);
    assert.match(stdout, /^Processed: \d+, Failed: 0\n$/);
    assert.match(stderr, place);
    assert.match(stderr, /^failed in /m);
    assert.match(stderr, /^failed: llm-etl: .* \[UNHANDLED_ERROR\]$/m);
  });

  test(`${event} with --json: the last line is run-end, with the error and without its words`, async () => {
    const words = ["run", fixture("waits"), "--json"];
    const { exitCode, stdout } = await commandWith(words, (process) => process.emit(event, thrownHere()));
    const { type, report } = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "");
    assert.deepEqual(
      [exitCode, type, report.status, report.exitCode, report.error.code, report.error.facts.thrown],
      [3, "run-end", "failed", 3, "UNHANDLED_ERROR", "TypeError"],
    );
  });
}

test("the first error is the run's; others change nothing, and a Ctrl-C then stops at once", async () => {
  const { exitCode, stderr } = await commandWith(["run", fixture("waits")], (process) => {
    process.emit("unhandledRejection", "Jane Roe");
    process.emit("uncaughtException", thrownHere());
    process.emit("SIGINT");
  });
  assert.equal(exitCode, 3);
  assert.match(stderr, /^failed: llm-etl: .*a string; .* \[UNHANDLED_ERROR\]$/m);
  assert.doesNotMatch(stderr, place);
  assert.match(stderr, /SIGINT: stopping at once/);
});

test("before a run it is the command that ends: exit code 2, and the run does not begin", async () => {
  const imported = `export { default } from ${JSON.stringify(fixture("waits"))};`;
  const slow = `process.emit("slow-import"); await new Promise((resolve) => setTimeout(resolve, 100)); ${imported}`;
  for (const [words, said] of [
    [["check"], ""],
    [["run"], ""],
    [["run", "--json"], "run-refused"],
  ] as const) {
    const path = join(mkdtempSync(join(folder, "slow ")), "slow.mjs");
    writeFileSync(path, slow);
    const importing = once(process, "slow-import");
    const signals = new EventEmitter();
    const terminal = testTerminal({ signals });
    const running = runCommandLine([...words, path], terminal);
    await importing;
    signals.emit("uncaughtException", thrownHere());
    assert.equal(await running, 2);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const { stdout, stderr } = terminal.written;
    assert.match(stderr, /^llm-etl: .* \[UNHANDLED_ERROR\]\n/);
    assert.match(stderr, place);
    assert.ok(!`${stdout}${stderr}`.includes("Jane Roe"), stderr);
    assert.equal(stdout === "" ? "" : JSON.parse(stdout).type, said);
    assert.equal(signals.listenerCount("SIGINT"), 0);
  }
});

test("after the end an error makes the exit code 3 and is told once, without its words", async () => {
  const words = ["run", fixture("settled"), "--limit", "1", "--max-cost", "1"];
  const signals = new EventEmitter();
  const terminal = testTerminal({ signals });
  assert.equal(await runCommandLine(words, terminal), 0);
  terminal.written.stderr = "";
  signals.emit("unhandledRejection", thrownHere());
  signals.emit("unhandledRejection", thrownHere());
  assert.equal(terminal.exitCode, 3);
  assert.match(terminal.written.stderr, /^llm-etl: after the end: .*TypeError at tests.* \[UNHANDLED_ERROR\]\n$/);
});

test("an error that came too late for the report is told, and the exit code is 3", () => {
  const signals = new EventEmitter();
  const terminal = testTerminal({ signals });
  const unhandled = new UnhandledErrors(terminal);
  signals.emit("uncaughtException", thrownHere());
  unhandled.endRun(null);
  assert.match(terminal.written.stderr, place);
  assert.deepEqual([unhandled.end(0), unhandled.end(1), unhandled.end(2)], [3, 3, 2]);
});

test("a process with nothing left to do stops its run at once; if nothing comes of that, it ends with 3", async () => {
  const { exitCode, stderr } = await commandWith(["run", fixture("waits")], (process) => process.emit("beforeExit"));
  assert.equal(exitCode, 3);
  assert.match(stderr, /never settles.* \[UNHANDLED_ERROR\]$/m);
  const signals = new EventEmitter();
  const terminal = testTerminal({ signals });
  void new UnhandledErrors(terminal).orFirst(async () => await new Promise(() => {})).catch(() => {});
  signals.emit("beforeExit");
  assert.equal(terminal.exitCode, undefined);
  signals.emit("beforeExit");
  assert.equal(terminal.exitCode, 3);
});

test("a process that other code ends has exit code 3 and says why; one whose command has ended keeps its own", async () => {
  const signals = new EventEmitter();
  const terminal = testTerminal({ signals });
  const unhandled = new UnhandledErrors(terminal);
  signals.emit("exit");
  assert.equal(terminal.exitCode, 3);
  assert.match(terminal.written.stderr, /^llm-etl: process\.exit\(\) .*\n$/);
  const ended = testTerminal({ signals: new EventEmitter() });
  unhandled.end(0);
  signals.emit("exit");
  assert.deepEqual([ended.exitCode, ended.written.stderr], [undefined, ""]);
});
