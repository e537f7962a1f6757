import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { requireFolder, requireWritable } from "../../src/files/writable.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
writeFileSync(join(folder, "file"), "");

test("a file that is there, and one that can be made, folders and all, can be written; nothing is made", async () => {
  assert.equal(await requireWritable(join(folder, "file")), true);
  assert.equal(await requireWritable(join(folder, "new", "deeper", "file")), false);
  await requireFolder(join(folder, "new"));
  assert.ok(!existsSync(join(folder, "new")));
});

test("a folder in a file's place, and a file in a folder's, are rejected", async () => {
  await assert.rejects(requireWritable(folder), { code: "EISDIR" });
  await assert.rejects(requireWritable(join(folder, "file", "below")), { code: "ENOTDIR" });
  await assert.rejects(requireFolder(join(folder, "file")), { code: "ENOTDIR" });
});

test(
  "a path without permission to write is rejected",
  { skip: process.getuid?.() === 0 ? "root may write everywhere" : false },
  async () => {
    const closed = join(folder, "closed");
    mkdirSync(closed);
    writeFileSync(join(closed, "file"), "", { mode: 0o400 });
    chmodSync(closed, 0o500);
    await assert.rejects(requireWritable(join(closed, "file")), { code: "EACCES" });
    await assert.rejects(requireWritable(join(closed, "new", "file")), { code: "EACCES" });
    await assert.rejects(requireFolder(closed), { code: "EACCES" });
    chmodSync(closed, 0o700);
  },
);
