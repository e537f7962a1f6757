import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { Command } from "commander";
import { envFileOption, moduleOr } from "../../src/cli/command.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const home = process.cwd();
afterEach(() => process.chdir(home));

test("the module that is named is taken, whether it is there or not", () => {
  assert.equal(moduleOr("other.ts"), "other.ts");
});

test("without one it is the pipeline.ts, pipeline.js or pipeline.mjs that is here, in this order", () => {
  process.chdir(mkdtempSync(join(folder, "here ")));
  for (const name of ["pipeline.mjs", "pipeline.js", "pipeline.ts"]) {
    writeFileSync(name, "");
    assert.equal(moduleOr(undefined), name);
  }
});

test("without any, the error names the folder", () => {
  const place = mkdtempSync(join(folder, "empty "));
  process.chdir(place);
  assert.throws(() => moduleOr(undefined), failsWith("PIPELINE_MODULE_INVALID", { where: process.cwd() }));
});

test("--env-file gathers its values", () => {
  const parsed = new Command().addOption(envFileOption()).parse(["--env-file", "a", "--env-file=b"], { from: "user" });
  assert.deepEqual(parsed.opts(), { envFile: ["a", "b"] });
});
