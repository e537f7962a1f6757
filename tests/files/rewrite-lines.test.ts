import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import fs, { mkdtemp, open } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { rewriteFile } from "../../src/files/rewrite-lines.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();

interface Range {
  readonly start: number;
  readonly end: number;
}

async function rewritten(content: string, ranges: readonly Range[], restStart: number): Promise<string> {
  const path = join(await mkdtemp(join(folder, "rewrite ")), "failed.jsonl");
  writeFileSync(path, content, { mode: 0o644 });
  const file = await open(path, "r");
  try {
    const keptPath = await rewriteFile({ path, file, ranges, restStart, keep: true });
    assert.ok(keptPath !== null);
    assert.equal(readFileSync(keptPath, "utf8"), content);
    assert.match(keptPath, /failed\.\d{8}T\d{9}Z\.jsonl$/);
    assert.deepEqual(readdirSync(join(path, "..")).length, 2);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  } finally {
    await file.close();
  }
  return readFileSync(path, "utf8");
}

/** Lets a function of node:fs/promises fail until the test has ended. */
function failing(t: TestContext, name: "link" | "rename", code: string): void {
  t.mock.method(fs, name, async () => {
    throw Object.assign(new Error(code), { code });
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
}

test("what stays is copied in order, and all from the rest on; the file as it was is kept beside it", async () => {
  const ranges = [
    { start: 0, end: 2 },
    { start: 2, end: 4 },
    { start: 6, end: 8 },
  ];
  assert.equal(await rewritten("a\nb\nc\nd\ne\nf", ranges, 8), "a\nb\nd\ne\nf");
  assert.equal(await rewritten("a\nb\n", [], 4), "");
  const long = "x".repeat(3 * 1024 ** 2);
  assert.equal(await rewritten(`a${long}b`, [{ start: 1, end: long.length + 1 }], long.length + 2), long);
});

test("where the file system has no hard links, the file as it was is copied", async (t) => {
  failing(t, "link", "EPERM");
  assert.equal(await rewritten("a\nb\n", [{ start: 2, end: 4 }], 4), "b\n");
});

test("what can't be done leaves the file as it was, and no unfinished one", async (t) => {
  const path = join(await mkdtemp(join(folder, "rewrite ")), "failed.jsonl");
  writeFileSync(path, "a\nb\n");
  failing(t, "link", "ENOSPC");
  const file = await open(path, "r");
  try {
    await assert.rejects(rewriteFile({ path, file, ranges: [], restStart: 4, keep: true }), { code: "ENOSPC" });
  } finally {
    await file.close();
  }
  assert.deepEqual(readdirSync(join(path, "..")), ["failed.jsonl"]);
  assert.equal(readFileSync(path, "utf8"), "a\nb\n");
});
