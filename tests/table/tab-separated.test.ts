import assert from "node:assert/strict";
import { test } from "node:test";
import type { StagedRow } from "../../src/table/dialect.ts";
import { tabSeparated } from "../../src/table/tab-separated.ts";

const rowOf = (...cells: readonly (string | null)[]): StagedRow<string> => ({ values: {}, cells });

test("rows are numbered lines, in which no value is read as a tab, a line, a NULL or an end", () => {
  const rows = [rowOf("a\tb", null, ""), rowOf("\\N", "\\.", "c\r\nd\\")];
  assert.deepEqual(
    [...tabSeparated(rows)],
    [
      String.raw`0	a\tb	\N	
1	\\N	\\.	c\r\nd\\
`,
    ],
  );
  assert.deepEqual([...tabSeparated([])], []);
});

test("a batch of large values comes in pieces of no more than a row beyond 64 KB", () => {
  const pieces = [...tabSeparated(Array.from({ length: 100 }, () => rowOf("x".repeat(30_000))))];
  assert.equal(pieces.join("").split("\n").length, 101);
  assert.ok(pieces.every((piece) => piece.length < 65_536 + 30_010));
});
