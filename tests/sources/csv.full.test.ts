// Full lane: files of 17 to 20 MB take three seconds of CPU.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertSourceError, rawsOf, readContent } from "../support/csv-reading.ts";

test("a quote that is never closed does not take the rest of a huge file into memory", async () => {
  const { rows, error, path } = await readContent(`id,text\n1,a\n\n2,"${"x,y\n".repeat(5 * 1024 * 1024)}`);
  assert.equal(rows.length, 1);
  assertSourceError(error, path, { line: 4, expected: "at most 16777216 bytes" });
});

test("a line of nothing but delimiters does not fill the memory either", async () => {
  const { rows, error, path } = await readContent(`id,text\n1,a\n${",".repeat(20 * 1024 * 1024)}`);
  assert.equal(rows.length, 1);
  assertSourceError(error, path, { line: 3, expected: "at most 16777216 bytes" });
});

test("a file has as many blank lines as it likes", async () => {
  const raws = rawsOf(await readContent(`id,text\n${"\n".repeat(17 * 1024 * 1024)}1,a\n`));
  assert.deepEqual(raws, [{ id: "1", text: "a" }]);
});
