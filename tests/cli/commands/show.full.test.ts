import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { journaledFolder, startCommand } from "../../support/command.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const folder = temporaryFolder();
const journaled = fileURLToPath(new URL("../../fixtures/pipelines/journaled.ts", import.meta.url));

test("a run that goes on shows how far it is, and one that was killed that it can be resumed", async () => {
  const FOLDER = journaledFolder(folder);
  const show = async (): Promise<string> =>
    (await startCommand(["show", "--pipeline", journaled], { FOLDER }).ended).stdout;
  const running = startCommand(["run", journaled], { FOLDER, STUCK_FROM: "5" });
  await running.said(/begun r8\n/);
  const during = await show();
  assert.match(during, /^Ended +-$/m);
  assert.match(during, /^Status +running$/m);
  assert.match(during, new RegExp(`^Resume +it is still running, in process ${running.child.pid} on .+$`, "m"));
  running.child.kill("SIGKILL");
  await running.ended;
  const after = await show();
  assert.match(after, /^Status +interrupted$/m);
  assert.match(after, /^Resume +it can be resumed: run the same command again$/m);
});
