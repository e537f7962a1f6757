import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { isReadOnce } from "../../src/files/read-once.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

test("what the process has open is read once, whatever it is; a file is read as often as one likes, and so is one that is not there", () => {
  assert.equal(isReadOnce("/dev/stdin"), true);
  assert.equal(isReadOnce("/dev/fd/0"), true);
  assert.equal(isReadOnce(import.meta.filename), false);
  assert.equal(isReadOnce(join(temporaryFolder(), "no such file")), false);
});
