import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { byColumn } from "../../src/journal-tables/columns.ts";

test("lines become an array for each column, and one of long texts becomes JSON, which no driver has to escape", () => {
  const lines = [
    { key: "0a", text: 'a "b" \\c', count: 1, name: "a" },
    { key: null, text: null, count: null, name: "b" },
  ];
  const columns = byColumn(
    [
      ["key", "hash"],
      ["text", "text"],
      ["count", "whole"],
      ["name", "name"],
    ],
    lines,
    (_kind, cell) => cell,
  );
  deepEqual(columns, [`{"\\\\x0a",NULL}`, JSON.stringify(['a "b" \\c', null]), "{1,NULL}", ["a", "b"]]);
});
