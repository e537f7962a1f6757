import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTable } from "../../src/cli/table.ts";

test("a table has its columns below each other, and numbers to the right", () => {
  const items = [
    { name: "a", size: 5 },
    { name: "longer", size: 1000 },
  ];
  const text = formatTable(
    [
      { name: "name", text: (item) => item.name },
      { name: "n", text: (item) => String(item.size), isNumeric: true },
      { name: "note", text: () => "" },
    ],
    items,
  );
  assert.equal(text, "name       n  note\na          5\nlonger  1000\n");
});

test("columns stand below their names, also with wide characters and with what would break a line", () => {
  const columns = [
    { name: "pipeline", text: (name: string) => name },
    { name: "n", text: () => "1", isNumeric: true },
  ];
  assert.equal(formatTable(columns, ["病院🏥", "a\nb"]), "pipeline  n\n病院🏥    1\na b       1\n");
});
