import assert from "node:assert/strict";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { syncFolder } from "../../src/files/sync-folder.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();

test("a folder is synced, and one that is not there is an error", async () => {
  await syncFolder(folder);
  await assert.rejects(syncFolder(join(folder, "none")), { code: "ENOENT" });
});

test("a system that does not let folders be opened is left to do as it does", async (t) => {
  t.mock.method(fs, "open", async () => {
    throw Object.assign(new Error("not permitted"), { code: "EPERM" });
  });
  syncBuiltinESMExports();
  try {
    await syncFolder(folder);
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  }
});
