import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { fromHere } from "../../src/files/paths.ts";
import { describeError, docsOf, isWatched, type Output } from "../../src/cli/terminal.ts";
import { errorCodes, OptionError, RunError } from "../../src/index.ts";
import { testTerminal } from "../support/terminal.ts";

test("an error is described with its code, its place and the page about it; its stack only on demand", () => {
  const error = new OptionError("CSVSource", "path", "", { expected: "a path" });
  const text = describeError(error, false);
  const [first, place, page, ...others] = text.split("\n");
  assert.deepEqual([first, others], [`llm-etl: ${error.message} [INVALID_OPTION]`, []]);
  assert.match(place ?? "", /tests\/cli\/terminal\.test\.ts:\d+$/);
  assert.ok(page?.endsWith("docs/errors.md#invalid_option"), page);
  const withStack = describeError(error, true);
  assert.ok(withStack.startsWith(`${text}\n    at `), withStack);
});

test("a foreign code is shown, without a page about it; of an error of other code the class and the line are shown, not its words", () => {
  const error = Object.assign(new RunError("OWN_CODE", "own words"), { stack: "" });
  assert.equal(describeError(error, false), "llm-etl: own words [OWN_CODE]");
  for (const thrown of [
    new TypeError("Jane Roe"),
    Object.assign(new Error("Jane Roe"), { code: "ENOENT" }),
    "Jane Roe",
  ]) {
    const text = describeError(thrown, true);
    assert.ok(!text.includes("Jane Roe"), text);
    assert.match(
      text,
      /^llm-etl: (TypeError|Error \[ENOENT\]|a string)( at tests.*terminal\.test\.ts:\d+)? was thrown/,
    );
  }
});

test("every code of ours leads to its heading", () => {
  for (const code of errorCodes) assert.deepEqual(docsOf(code), [`  see docs/errors.md#${code.toLowerCase()}`]);
  assert.deepEqual(docsOf("ENOENT"), []);
});

test("a path is relative to the working directory unless that is longer", () => {
  assert.equal(fromHere(join(process.cwd(), "output", "failed.jsonl")), join("output", "failed.jsonl"));
  assert.equal(fromHere("/x"), "/x");
});

test("somebody watches a terminal that has a size and is neither dumb nor in CI; colours do not matter", () => {
  const screen: Omit<Output, "write"> = { isTTY: true, columns: 80, rows: 24 };
  const cases: [boolean, Omit<Output, "write">, Record<string, string>][] = [
    [true, screen, {}],
    [true, { isTTY: true }, { TERM: "xterm" }],
    [true, { ...screen, hasColors: () => false }, { NO_COLOR: "1" }],
    [true, screen, { CI: "" }],
    [true, screen, { CI: "false" }],
    [false, screen, { CI: "true" }],
    [false, screen, { CI: "1" }],
    [false, screen, { TERM: "dumb" }],
    [false, { isTTY: true, columns: 0, rows: 0 }, {}],
    [false, { columns: 80 }, {}],
    [false, {}, {}],
  ];
  for (const [expected, given, env] of cases) {
    assert.equal(isWatched(testTerminal({ screen: given, env })), expected, JSON.stringify([given, env]));
  }
});
