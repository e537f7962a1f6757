// Full lane: another parser reads hundreds of statements, which takes two seconds of CPU.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Dialect, parse } from "@polyglot-sql/sdk";
import * as fc from "fast-check";
import { sinkStatements } from "../support/sink-statements.ts";
import { longestIdentifier, quoteTableName } from "../../src/sql-server/identifiers.ts";

test("whatever is in a name, a statement stays one statement", () => {
  const sign = fc.constantFrom(
    "]",
    "[",
    "'",
    '"',
    "--",
    ";",
    "/*",
    "*/",
    "DROP TABLE t",
    "\n",
    " ",
    "é",
    "\u{1F600}",
    "a",
    "@",
  );
  const name = fc
    .array(sign, { minLength: 1, maxLength: 12 })
    .map((signs) => signs.join("").slice(0, longestIdentifier));
  fc.assert(
    fc.property(name, name, fc.array(name, { minLength: 2, maxLength: 2 }), (schema, table, names) => {
      fc.pre([schema, table, ...names].every((each) => each.isWellFormed()));
      for (const statement of new Set(sinkStatements(quoteTableName({ schema, table }), names))) {
        const parsed = parse(statement, Dialect.TSQL);
        assert.ok(parsed.success, `${parsed.error}: ${statement}`);
        assert.equal(parsed.ast?.length, 1, statement);
      }
    }),
    { seed: 5, numRuns: 40 },
  );
});
