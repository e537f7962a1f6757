import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { commandLine } from "../support/terminal.ts";

test("--version is the package's", async () => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  assert.deepEqual(await commandLine(["--version"]), { exitCode: 0, stdout: `${version}\n`, stderr: "" });
});

test("--help lists the commands, on stdout", async () => {
  const { exitCode, stdout } = await commandLine(["--help"]);
  assert.equal(exitCode, 0);
  assert.match(stdout, /run .*<pipeline\.ts>/);
});

test("a typo in a command or an option is answered with a suggestion, on stderr, exit code 2", async () => {
  const command = await commandLine(["rnu", "pipeline.ts"]);
  assert.deepEqual([command.exitCode, command.stdout], [2, ""]);
  assert.match(command.stderr, /Did you mean run\?/);
  const option = await commandLine(["run", "pipeline.ts", "--limti", "3"]);
  assert.equal(option.exitCode, 2);
  assert.match(option.stderr, /Did you mean --limit\?/);
});
