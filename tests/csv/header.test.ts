import assert from "node:assert/strict";
import { test } from "node:test";
import { readHeader, type HeaderExpectation } from "../../src/csv/header.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { SourceError } from "../../src/errors/source.ts";

function read(
  cells: readonly string[],
  expected: Partial<HeaderExpectation> = {},
  quoted: readonly number[] = [],
): readonly string[] {
  const row = { line: 3, lastLine: 3, cells, quoted };
  return readHeader("CSVSource /data/rows.csv", row, {
    primaryKeyColumn: "id",
    rowNumberColumn: undefined,
    delimiter: ",",
    uniqueNames: false,
    onFound: () => {},
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

test("names are without the blanks around them, but where they stand in quotes or are the key's", () => {
  assert.deepEqual(read(["id\u00a0", " Text ", "constructor"]), ["id", "Text", "constructor"]);
  assert.deepEqual(read(["id", " Text "], {}, [1]), ["id", " Text "]);
  assert.deepEqual(read([" id", "text"], { primaryKeyColumn: " id" }), [" id", "text"]);
});

test("a column without a name is called by its number, beside a column that is called so already", () => {
  const found: string[] = [];
  const onFound = (finding: string): void => void found.push(finding);
  assert.deepEqual(read(["", "id", "text", " "], { onFound }), ["column1", "id", "text", "column4"]);
  assert.deepEqual(found.length, 1);
  assert.deepEqual(read(["", "id", "column1", "column1_2"]), ["column1_3", "id", "column1", "column1_2"]);
});

test("with uniqueNames, names that occur again get a number that no other has", () => {
  const names = ["id", "a", "a_2", "a", "a", "", ""];
  const unique = read(names, { uniqueNames: true });
  assert.deepEqual(unique, ["id", "a", "a_2", "a_3", "a_4", "column6", "column7"]);
});

test("a header with as many columns as one likes is read in a time that grows with them", () => {
  const names = ["id", ...Array.from({ length: 200_000 }, () => "a")];
  assert.equal(new Set(read(names, { uniqueNames: true })).size, names.length);
});

test("columns of the same name are rejected by their numbers: of a file without a header the names are its first row", () => {
  assertRejected(() => read(["id", "a", "b", "a", "b", "a", "c"]), { where: [2, 3, 4, 5, 6] });
});

test("a column named __proto__ is rejected", () => {
  assertRejected(() => read(["id", "__proto__"]), { where: "__proto__" });
});

test("a missing primary key column is rejected with the nearest column, if one is near", () => {
  assertRejected(() => read(["ID ", "text"]), { where: "id", nearest: "ID" });
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
