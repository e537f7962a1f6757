import assert from "node:assert/strict";
import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { realPath } from "../../src/files/real-path.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = realpathSync(temporaryFolder());
mkdirSync(join(folder, "there"));
symlinkSync("there", join(folder, "link"));

test("links are followed, also to what does not exist yet", () => {
  writeFileSync(join(folder, "there", "a"), "");
  symlinkSync(join("link", "new", "b"), join(folder, "to-nothing"));
  assert.equal(realPath(join(folder, "link", "a")), join(folder, "there", "a"));
  assert.equal(realPath(join(folder, "link", "new", "b")), join(folder, "there", "new", "b"));
  assert.equal(realPath(join(folder, "to-nothing")), join(folder, "there", "new", "b"));
  assert.equal(realPath(join(folder, "none", "..", "x")), join(folder, "x"));
});

test("a circle of links is given as it is, for whoever opens it to report", () => {
  symlinkSync("two", join(folder, "one"));
  symlinkSync("one", join(folder, "two"));
  assert.match(realPath(join(folder, "one")), /(one|two)$/);
});
