import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { Command } from "commander";
import { Delivery } from "../../src/cli/delivery.ts";
import type { Output } from "../../src/cli/terminal.ts";
import { addWatchOptions, type Watch, watch, type WatchOptions } from "../../src/cli/watch.ts";
import { UnhandledErrors } from "../../src/cli/unhandled.ts";
import { OptionError, type RunEvent } from "../../src/index.ts";
import { reportOf, rowEnd, rowFailure, rowStarts, runStart } from "../support/run-events.ts";
import { Screen } from "../support/screen.ts";
import { type TestTerminal, testTerminal, type TestTerminalOptions } from "../support/terminal.ts";

const report = reportOf({ readCount: 2, successCount: 1, failureCount: 1 });
const events: readonly RunEvent[] = [
  runStart({ deadLetterPath: "/data/failed.jsonl" }),
  ...rowStarts(1, 2),
  rowEnd(1),
  rowFailure(2, "REFUSAL"),
  { type: "run-end", report },
];
const intro = "visits, run 0a1b2c3d: csv → kind → tone → /data/out.csv\n";
const screen: Omit<Output, "write"> = { isTTY: true, columns: 80, rows: 24 };

const contextOf = (terminal: TestTerminal) => ({
  terminal: { ...terminal, stdout: new Delivery(terminal.stdout) },
  unhandled: new UnhandledErrors(terminal),
});

/** Watches a run of these events; `during` is called after the rows, before the end. */
async function watched(options: WatchOptions, given: TestTerminalOptions = {}, during?: (watch: Watch) => void) {
  const terminal = testTerminal(given);
  const seen = await watch(contextOf(terminal), options, async (to) => {
    for (const event of events) {
      if (event.type === "run-end") during?.(to);
      await to.onEvent(event);
    }
    return await Promise.resolve(report);
  });
  return { seen, ...terminal.written };
}

test("it gives back the report, the first failures by code and where failed rows are kept, however it is watched", async () => {
  for (const options of [{}, { quiet: true }, { json: true }]) {
    const { seen } = await watched(options);
    assert.equal(seen.report, report);
    assert.deepEqual([...seen.failures.keys()], ["REFUSAL"]);
    assert.equal(seen.deadLetterPath, "/data/failed.jsonl");
  }
});

test("where nobody watches it says what runs, a line every ten seconds and what is said to it; nothing on stdout", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { stdout, stderr } = await watched({}, {}, () => t.mock.timers.tick(25_000));
  assert.equal(stdout, "");
  const [first, ...lines] = stderr.trimEnd().split("\n");
  assert.equal(`${first}\n`, intro);
  assert.equal(lines.length, 2);
  for (const line of lines) assert.match(line, /^[\d-]{10} [\d:]{8} {2}2 rows, .*; 1 failed \(1 × REFUSAL\)$/);
  t.mock.timers.tick(60_000);
  assert.equal(stderr.split("\n").length, 4);
});

test("who watches sees an area that moves, and nothing of it at the end; nothing on stdout", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const shown = new Screen();
  let during: readonly string[] = [];
  const { stdout, stderr } = await watched({}, { screen, onStderr: (text) => shown.write(text) }, () => {
    t.mock.timers.tick(100);
    during = shown.lines;
  });
  assert.equal(stdout, "");
  assert.equal(during.length, 6);
  assert.deepEqual([`${during[0]}\n`, during[5]], [intro, "failed 1 × REFUSAL"]);
  assert.deepEqual(shown.lines, [intro.trimEnd()]);
  assert.doesNotMatch(stderr, /\p{Cc}\[\d+m/u, "a terminal that does not say that it has colours gets none");
});

test("colours are the terminal's: with NO_COLOR it says that it has none", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const draw = (): void => t.mock.timers.tick(100);
  const coloured = await watched({}, { screen: { ...screen, hasColors: () => true } }, draw);
  assert.match(coloured.stderr, /\p{Cc}\[31mfailed 1 × REFUSAL\p{Cc}\[39m/u);
  const plain = await watched({}, { screen: { ...screen, hasColors: () => false }, env: { NO_COLOR: "1" } }, draw);
  assert.ok(stripVTControlCharacters(plain.stderr).includes("\nfailed 1 × REFUSAL\n"), plain.stderr);
  assert.doesNotMatch(plain.stderr, /\p{Cc}\[\d+m/u);
});

test("in CI and on a dumb terminal there are plain lines", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  for (const env of [{ CI: "true" }, { TERM: "dumb" }]) {
    const { stderr } = await watched({}, { screen: { ...screen, hasColors: () => true }, env }, () =>
      t.mock.timers.tick(10_000),
    );
    assert.match(stderr, /\n[\d-]{10} [\d:]{8} {2}2 rows, /);
    assert.ok(!stderr.includes("\u001B"), stderr);
  }
});

test("--quiet shows nothing of it, and still what a signal does", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  for (const given of [{}, { screen }]) {
    const { stdout, stderr } = await watched({ quiet: true }, given, () => t.mock.timers.tick(60_000));
    assert.deepEqual([stdout, stderr], ["", ""]);
  }
  const signals = new EventEmitter();
  const { stderr } = await watched({ quiet: true }, { signals }, () => signals.emit("SIGTERM"));
  assert.match(stderr, /^SIGTERM: stopping\. .*\n$/);
});

test("--json prints every event and nothing else, also in a terminal", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  for (const given of [{}, { screen }]) {
    const { stdout, stderr } = await watched({ json: true }, given, () => t.mock.timers.tick(60_000));
    assert.equal(stderr, "");
    const types = stdout
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line).type);
    assert.deepEqual(
      types,
      events.map(({ type }) => type),
    );
  }
});

test("a signal reaches the run and is named above the area; the listeners are gone when the run has ended", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const signals = new EventEmitter();
  const shown = new Screen();
  const states: boolean[] = [];
  await watched({}, { signals, screen, onStderr: (text) => shown.write(text) }, ({ signal, stopNowSignal }) => {
    t.mock.timers.tick(100);
    signals.emit("SIGINT");
    states.push(signal.aborted, stopNowSignal.aborted);
    assert.match(shown.lines[1] ?? "", /^SIGINT: stopping\. /);
    assert.match(shown.lines[2] ?? "", /^[━─]+$/);
  });
  assert.deepEqual(states, [true, false]);
  assert.equal(shown.lines.length, 2);
  assert.deepEqual([signals.listenerCount("SIGINT"), signals.listenerCount("SIGTERM")], [0, 0]);
});

test("a run that does not start throws its error, its timers and listeners are gone, and JSON has one line of it", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const error = new OptionError("run", "maxCost", "no prices");
  const failed = async (options: WatchOptions, thrown: Error, given: TestTerminalOptions = {}) => {
    const signals = new EventEmitter();
    const terminal = testTerminal({ ...given, signals });
    const run = async (): Promise<never> => await Promise.reject(thrown);
    await assert.rejects(watch(contextOf(terminal), options, run), thrown);
    t.mock.timers.tick(60_000);
    assert.deepEqual([signals.listenerCount("SIGINT"), terminal.written.stderr], [0, ""]);
    return terminal.written.stdout;
  };
  for (const options of [{}, { quiet: true }]) assert.equal(await failed(options, error), "");
  assert.equal(await failed({}, error, { screen }), "");
  const line = await failed({ json: true }, error);
  const { type, error: shown } = JSON.parse(line);
  assert.deepEqual([type, shown], ["run-refused", JSON.parse(JSON.stringify(error))]);
  const { error: unknown } = JSON.parse(await failed({ json: true }, new TypeError("no")));
  assert.deepEqual([unknown.code, unknown.scope], ["INTERNAL_ERROR", "run"]);
});

test("--json and --quiet exclude each other", () => {
  const parse = (...words: string[]): WatchOptions => {
    const command = addWatchOptions(new Command().exitOverride().configureOutput({ writeErr: () => {} }));
    return command.parse(words, { from: "user" }).opts();
  };
  assert.deepEqual([parse(), parse("--quiet"), parse("--json")], [{}, { quiet: true }, { json: true }]);
  assert.throws(() => parse("--quiet", "--json"), { code: "commander.conflictingOption" });
});
