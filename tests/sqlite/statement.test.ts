import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { scanStatement } from "../../src/sqlite/statement.ts";

test("statements are counted, but comments, blanks and semicolons alone are none", () => {
  const counts: [string, number][] = [
    ["", 0],
    [" ; -- nothing\n ;/* here */", 0],
    ["SELECT 1", 1],
    ["SELECT 1;", 1],
    [";;SELECT 1;; -- end;\n /* ; */ ;", 1],
    ["SELECT 1; SELECT 2", 2],
    ["SELECT 1 -- a; b\n; /* ; */ DELETE FROM t; SELECT 3", 3],
    ["SELECT 1 /* never closed ; SELECT 2", 1],
    ["SELECT 'never closed ; SELECT 2", 1],
  ];
  for (const [sql, count] of counts) assert.equal(scanStatement(sql).count, count, sql);
});

test("what stands in quotes and comments is neither a parameter nor an end", () => {
  const sql = `SELECT ';@a''@b' "x;""@c" [y;@d] \`z;\`\`@e\`, @f -- @g ;
    /* @h ; ? */ FROM t WHERE a$b = :i AND c->>'$.j' = $k`;
  assert.deepEqual(scanStatement(sql), { count: 1, parameters: ["@f", ":i", "$k"], hasPositional: false });
});

test("a parameter is found once for each spelling of its name", () => {
  assert.deepEqual(scanStatement("SELECT @a, :a, $a, @a, @größe, @a1_$").parameters, [
    "@a",
    ":a",
    "$a",
    "@größe",
    "@a1_$",
  ]);
});

test("a positional parameter is noticed", () => {
  assert.equal(scanStatement("SELECT ?").hasPositional, true);
  assert.equal(scanStatement("SELECT ?1").hasPositional, true);
  assert.equal(scanStatement("SELECT '?'").hasPositional, false);
});

test("any text is scanned to its end", () => {
  const piece = fc.constantFrom(
    "'",
    '"',
    "`",
    "[",
    "]",
    "--",
    "/*",
    "*/",
    ";",
    "\n",
    "@a",
    "?",
    "x",
    " ",
    "é",
    "😀",
    "$",
    ":",
    "(",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const sql = pieces.join("");
      const { count } = scanStatement(sql);
      assert.ok(count >= 0 && count <= sql.split(";").length);
    }),
    { seed: 1, numRuns: 500 },
  );
});
