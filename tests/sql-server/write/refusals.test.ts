import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalOf } from "../../../src/sql-server/write/refusals.ts";

const names: ReadonlySet<string> = new Set(["summary", "odd'name", "UQ_visits"]);

function serverError(number: number, message: string): Error {
  return Object.assign(new Error(message), { number });
}

test("a refusal has the server's number and its reason, and names the column, constraint or index", () => {
  const known: readonly (readonly [number, string, string])[] = [
    [
      2628,
      "String or binary data would be truncated in table 'clinic.dbo.t', column 'summary'. Truncated value: 'secret'.",
      'text or bytes are too long for their column (the column "summary")',
    ],
    [8152, "String or binary data would be truncated.", "text or bytes are too long for their column"],
    [
      515,
      "Cannot insert the value NULL into column 'summary', table 'clinic.dbo.t'; column does not allow nulls. INSERT fails.",
      'NULL for a column that is NOT NULL (the column "summary")',
    ],
    [
      547,
      'The MERGE statement conflicted with the CHECK constraint "CK_visits". The conflict occurred in database "clinic", table "dbo.t".',
      'a CHECK or FOREIGN KEY constraint does not hold (the constraint "CK_visits")',
    ],
    [
      2627,
      "Violation of PRIMARY KEY constraint 'PK_t'. Cannot insert duplicate key in object 'dbo.t'. The duplicate key value is (secret).",
      'a row with the same unique key is there already (the constraint "PK_t")',
    ],
    [
      2601,
      "Cannot insert duplicate key row in object 'dbo.t' with unique index 'UQ_visits'. The duplicate key value is (secret).",
      'a row with the same unique key is there already (the index "UQ_visits")',
    ],
    [
      245,
      "Conversion failed when converting the nvarchar value 'secret' to data type int.",
      "a value can't be converted to its column's type",
    ],
    [
      8115,
      "Arithmetic overflow error converting numeric to data type numeric.",
      "a number is out of its column's range",
    ],
    [9436, "XML parsing: line 1, character 8, end tag does not match start tag", "its XML can't be read"],
    [50_001, "no 'secret' in column 'summary' please", "a trigger refused it"],
    [3609, "The transaction ended in the trigger. The batch has been aborted.", "a trigger refused it"],
  ];
  for (const [number, message, reason] of known) {
    assert.deepEqual(refusalOf(serverError(number, message), names), { number, reason });
  }
});

test("a name that stands in a value only is not taken for the column", () => {
  const message =
    "String or binary data would be truncated in table 'clinic.dbo.t', column 'other'. Truncated value: 'column 'summary''.";
  assert.equal(refusalOf(serverError(2628, message), names)?.reason, "text or bytes are too long for their column");
});

test("the number is found in errors that an error was made from", () => {
  const inner = serverError(515, "Cannot insert the value NULL into column 'summary'");
  const outer = Object.assign(new Error("aborted"), { number: 3621, precedingErrors: [inner] });
  assert.equal(refusalOf(outer, names)?.number, 515);
  assert.match(refusalOf(new AggregateError([inner, new Error("x")]), names)?.reason ?? "", /the column "summary"/);
});

test("what is not the data's fault is no refusal", () => {
  for (const number of [208, 229, 1205, 9002, 18_456])
    assert.equal(refusalOf(serverError(number, "x"), names), undefined);
  assert.equal(refusalOf(new Error("socket"), names), undefined);
});
