import assert from "node:assert/strict";
import { test } from "node:test";
import { describeError } from "../../src/cli/terminal.ts";
import { OptionError } from "../../src/index.ts";

test("an error in words has its code, and its stack only where it is asked for", () => {
  const error = new OptionError("CSVSource", "path", "expected a path");
  assert.equal(describeError(error, false), 'llm-etl: CSVSource: option "path": expected a path [INVALID_OPTION]');
  assert.match(describeError(error, true), /\[INVALID_OPTION\]\n {4}at /);
  assert.equal(describeError("text", true), "llm-etl: text");
});
