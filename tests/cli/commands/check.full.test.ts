import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { journaledFolder, startCommand } from "../../support/command.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const folder = temporaryFolder();
const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/pipelines/${name}.ts`, import.meta.url));

test("a problem has its code and the page about it; exit code 2", async () => {
  const path = mkdtempSync(join(folder, "empty "));
  new DatabaseSync(join(path, "target.db")).close();
  writeFileSync(join(path, "target.db"), "no database".repeat(100));
  const { exitCode, stdout, stderr } = await startCommand(["check", fixture("journaled")], { FOLDER: path }).ended;
  assert.equal(exitCode, 2);
  assert.match(stdout, /^ {2}✗ sink sqlite +sqlite: .*target\.db.* \[SINK_FAILED\]\n +see .*errors\.md#sink_failed$/m);
  assert.match(stdout, /\njournaled: .*\b1 problem, 0 warnings\b.*\n$/);
  assert.equal(stderr, "begun r1\n"); // a step without a model runs
  assert.deepEqual(readdirSync(path), ["target.db"]);
});

test("a run that is under way is a problem for another one, and goes on", async () => {
  const path = journaledFolder(folder);
  const running = startCommand(["run", fixture("journaled")], { FOLDER: path, STUCK_FROM: "5" });
  await running.said(/begun r8\n/);
  const { exitCode, stdout } = await startCommand(["check", fixture("journaled")], { FOLDER: path }).ended;
  running.child.kill("SIGKILL");
  await running.ended;
  assert.equal(exitCode, 2);
  assert.match(stdout, new RegExp(`^ {2}✗ journal +.*\\b${running.child.pid}\\b.* \\[JOURNAL_IN_USE\\]$`, "m"));
  assert.match(stdout, /\b1 problem, 0 warnings\b/);
});
