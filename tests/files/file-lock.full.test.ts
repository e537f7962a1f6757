import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { lockFile } from "../../src/files/file-lock.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const module = pathToFileURL(join(import.meta.dirname, "../../src/files/file-lock.ts")).href;

test("a lock holds among processes, and one whose process was killed is free", async () => {
  const path = join(folder, "other");
  const script = `
    const { lockFile } = await import(${JSON.stringify(module)});
    globalThis.lock = lockFile(process.argv[1]);
    console.log("locked");
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, path], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_V8_COVERAGE: "" }, // it would be cut off, too
  });
  await once(child.stdout, "data");
  assert.equal(lockFile(path), undefined);
  child.kill("SIGKILL");
  await once(child, "exit");
  const lock = lockFile(path);
  assert.ok(lock);
  await lock.release();
});
