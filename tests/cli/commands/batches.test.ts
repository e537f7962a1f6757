import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { commandLine } from "../../support/terminal.ts";

const good = fileURLToPath(new URL("../../fixtures/pipelines/good.ts", import.meta.url));

test("a pipeline with nothing in a batch says so; to cancel needs a journal", async () => {
  const { exitCode, stdout } = await commandLine(["batches", good]);
  assert.deepEqual([exitCode, stdout], [0, "Nothing is in a batch.\n"]);
  assert.deepEqual(JSON.parse((await commandLine(["batches", good, "--json"])).stdout), []);
  const cancelled = await commandLine(["batches", good, "--cancel"]);
  assert.equal(cancelled.exitCode, 2);
  assert.match(cancelled.stderr, /INVALID_OPTION/);
});

test("run --batch needs a Batch API, and --wait needs --batch: exit code 2 before anything is read", async () => {
  for (const words of [["--batch"], ["--wait"]]) {
    const { exitCode, stderr } = await commandLine(["run", good, ...words]);
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, /INVALID_OPTION/);
  }
});
