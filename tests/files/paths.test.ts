import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { absolutePath } from "../../src/files/paths.ts";

test("a path is absolute, whether it is text or a URL", () => {
  assert.equal(absolutePath("data/rows.csv"), resolve("data/rows.csv"));
  assert.equal(absolutePath(pathToFileURL("/tmp/a b/rows.csv")), resolve("/tmp/a b/rows.csv"));
});
