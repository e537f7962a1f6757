import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { lockFile } from "../../src/files/file-lock.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const module = pathToFileURL(join(import.meta.dirname, "../../src/files/file-lock.ts")).href;

test("a lock is held by one, until it is released; its file stays, so that no two files can be held", async () => {
  const path = join(folder, "one");
  const lock = lockFile(path);
  assert.ok(lock);
  assert.equal(lockFile(path), undefined);
  await lock.release();
  await lock.release();
  assert.equal(existsSync(path), true);
  const next = lockFile(path);
  assert.ok(next);
  await next.release();
});

test("a file that is no lock's is not taken for one", () => {
  const path = join(folder, "garbage");
  writeFileSync(path, "no database".repeat(100));
  assert.throws(() => lockFile(path), { code: "ERR_SQLITE_ERROR", errcode: 26 }); // SQLITE_NOTADB
});

test("a lock holds among processes, and one whose process was killed is free", async () => {
  const path = join(folder, "other");
  const script = `
    const { lockFile } = await import(${JSON.stringify(module)});
    globalThis.lock = lockFile(process.argv[1]);
    console.log("locked");
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  assert.equal(lockFile(path), undefined);
  child.kill("SIGKILL");
  await once(child, "exit");
  const lock = lockFile(path);
  assert.ok(lock);
  await lock.release();
});
