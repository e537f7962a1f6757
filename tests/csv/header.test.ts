import assert from "node:assert/strict";
import { test } from "node:test";
import { readHeader, type HeaderExpectation } from "../../src/csv/header.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { SourceError } from "../../src/errors/source.ts";

function read(cells: readonly string[], expected: Partial<HeaderExpectation> = {}): readonly string[] {
  const row = { line: 3, lastLine: 3, cells };
  return readHeader("CSVSource /data/rows.csv", row, {
    primaryKeyColumn: "id",
    rowNumberColumn: undefined,
    delimiter: ",",
    ...expected,
  });
}

function assertRejected(call: () => unknown, facts: ErrorFacts): void {
  assert.throws(call, (error) => {
    assert.ok(error instanceof SourceError);
    assert.partialDeepStrictEqual(error.facts, { source: "CSVSource /data/rows.csv", line: 3, ...facts });
    return true;
  });
}

test("a header with the primary key column is taken as it is", () => {
  assert.deepEqual(read(["id", " Text ", "constructor"]), ["id", " Text ", "constructor"]);
});

test("columns without a name are rejected by position", () => {
  assertRejected(() => read(["id", "", "text", " "]), { where: [2, 4] });
});

test("columns of the same name are rejected by their numbers: of a file without a header the names are its first row", () => {
  assertRejected(() => read(["id", "a", "b", "a", "b", "a", "c"]), { where: [2, 3, 4, 5, 6] });
});

test("a column named __proto__ is rejected", () => {
  assertRejected(() => read(["id", "__proto__"]), { where: "__proto__" });
});

test("a missing primary key column is rejected with the nearest column, if one is near", () => {
  assertRejected(() => read(["ID ", "text"]), { where: "id", nearest: "ID " });
  assertRejected(() => read(["text", "ids"]), { where: "id", column: 2 });
  assert.throws(
    () => read(["what", "text"]),
    (error) => error instanceof SourceError && error.facts.where === "id" && !Object.hasOwn(error.facts, "nearest"),
  );
});

test("a wrong delimiter is guessed from a header of one column", () => {
  assertRejected(() => read(["id;text"]), { where: "id", delimiter: ";" });
  assertRejected(() => read(["id,text"], { delimiter: ";" }), { where: "id", delimiter: "," });
});

test("no name of a header that the pipeline does not have stands in a message, the first fifty in its detail", () => {
  const columns = Array.from({ length: 300 }, (_, index) => `column ${index}`);
  const headers = [columns, ["id", "column 1", "column 1"], ["column 1", "ids"]];
  for (const header of headers) {
    assert.throws(
      () => read(header),
      (error) => {
        assert.ok(error instanceof SourceError);
        assert.doesNotMatch(JSON.stringify(error), /"column \d|ids"/);
        assert.match(error.detail, /"column 1"/);
        return !error.detail.includes('"column 50"');
      },
    );
  }
});

test("a row number column may be the primary key, and may not be in the file", () => {
  assert.deepEqual(read(["text"], { rowNumberColumn: "id" }), ["text"]);
  assertRejected(() => read(["id", "text"], { rowNumberColumn: "text" }), { where: "text" });
});

test("UTF-16 without a byte order mark is recognized by its zero bytes", () => {
  assert.throws(
    () => read(["i\0d\0", "\0t\0"]),
    (error) => error instanceof SourceError && error.facts.hint?.includes('encoding: "utf-16le"') === true,
  );
});
