import assert from "node:assert/strict";
import { test } from "node:test";
import { stacksOf } from "../../src/cli/stack.ts";
import { placeOf } from "../../src/errors/thrown.ts";
import { StepFailedError } from "../../src/index.ts";

const secret = "Jane Roe\n    at Jane Roe (file:///secret.ts:1:1)";

function thrownHere(): Error {
  return new TypeError(secret);
}

test("the stacks of the causes are shown, with their names and frames but without their words", () => {
  const stacks = stacksOf(new StepFailedError("summarize", new Error("outer", { cause: thrownHere() })));
  assert.match(stacks, /\ncaused by Error\n {4}at /);
  assert.match(stacks, /\ncaused by TypeError\n {4}at thrownHere \(file:.*stack\.test\.ts:\d+:\d+\)/);
  assert.ok(!stacks.includes("Jane Roe") && !stacks.includes("secret.ts") && !stacks.includes("outer"), stacks);
});

test("a cause of our own has its code and its message, which hold no content", () => {
  const cause = new StepFailedError("summarize", thrownHere());
  const stacks = stacksOf(new Error("x", { cause }));
  assert.ok(stacks.includes(`\ncaused by StepFailedError [STEP_FAILED]: ${cause.message}\n    at `), stacks);
});

test("causes in a circle, and stacks that are none, end all the same", () => {
  const error = new Error("x");
  error.cause = error;
  assert.match(stacksOf(error), /^ {4}at /);
  assert.equal(stacksOf(Object.assign(new Error("x"), { stack: undefined })), "");
});

test("the place of an error is the source text that could not be read, or the first frame that is the user's", () => {
  const header = (place: string): Error =>
    Object.assign(new SyntaxError("no"), { stack: `${place}\nexport (;\n\nSyntaxError: no` });
  assert.equal(placeOf(header("/a b/pipeline.ts:2")), "/a b/pipeline.ts:2");
  const frames = (...lines: string[]): Error =>
    Object.assign(new Error("no"), { stack: ["Error: no", ...lines.map((line) => `    at ${line}`)].join("\n") });
  const own = new URL("../../src/cli/commands/run.ts", import.meta.url).href;
  assert.equal(placeOf(frames("node:internal/modules/a:1:2", `run (${own}:3:4)`)), undefined);
  assert.equal(
    placeOf(thrownHere())
      ?.replace(/^.*[/\\]/, "")
      .replace(/\d+$/, "n"),
    "stack.test.ts:n",
  );
  if (process.platform === "win32") return;
  assert.equal(placeOf(header("file:///a%20b/pipeline.ts:7")), "/a b/pipeline.ts:7");
  assert.equal(
    placeOf(frames("parse (file:///app/node_modules/zod/index.js:1:1)", "file:///app/my%20pipeline.ts:3:23")),
    "/app/my pipeline.ts:3",
  );
});
