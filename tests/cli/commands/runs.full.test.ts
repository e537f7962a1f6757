import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { journaledFolder, startCommand } from "../../support/command.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const folder = temporaryFolder();
const journaled = fileURLToPath(new URL("../../fixtures/pipelines/journaled.ts", import.meta.url));

test("a run is `running` while it runs and `interrupted` once it was killed; the next one completes", async () => {
  const FOLDER = journaledFolder(folder);
  const statuses = async (): Promise<string[]> => {
    const { stdout } = await startCommand(["runs", journaled, "--json"], { FOLDER }).ended;
    return stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).status);
  };
  const running = startCommand(["run", journaled], { FOLDER, STUCK_FROM: "5" });
  await running.said(/begun r8\n/);
  assert.deepEqual(await statuses(), ["running"]);
  running.child.kill("SIGKILL");
  assert.equal((await running.ended).signal, "SIGKILL");
  assert.deepEqual(await statuses(), ["interrupted"]);
  assert.equal((await startCommand(["run", journaled], { FOLDER }).ended).exitCode, 0);
  assert.deepEqual(await statuses(), ["completed", "interrupted"]);
});
