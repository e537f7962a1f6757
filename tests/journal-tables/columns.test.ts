import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { byColumn } from "../../src/journal-tables/columns.ts";

test("lines become an array for each column, and one of long texts becomes JSON, which no driver has to escape", () => {
  const lines = [
    { key: "0a", text: 'a "b" \\c', count: 1 },
    { key: "0b", text: null, count: null },
  ];
  const columns = byColumn(
    [
      ["key", "hash"],
      ["text", "text"],
      ["count", "whole"],
    ],
    lines,
    (kind, cell) => (kind === "hash" ? `\\x${cell}` : cell),
  );
  deepEqual(columns, [["\\x0a", "\\x0b"], JSON.stringify(['a "b" \\c', null]), [1, null]]);
});
