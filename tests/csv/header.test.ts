import assert from "node:assert/strict";
import { test } from "node:test";
import { readHeader, type HeaderExpectation } from "../../src/csv/header.ts";
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

function assertRefused(call: () => unknown, ...patterns: readonly RegExp[]): void {
  assert.throws(call, (error) => {
    assert.ok(error instanceof SourceError);
    for (const pattern of [/^CSVSource \/data\/rows.csv: the header \(line 3\)/, ...patterns])
      assert.match(error.message, pattern);
    return true;
  });
}

test("a header with the primary key column is taken as it stands", () => {
  assert.deepEqual(read(["id", " Text ", "constructor"]), ["id", " Text ", "constructor"]);
});

test("columns without a name are refused by position", () => {
  assertRefused(() => read(["id", "", "text", " "]), /no name for column 2, 4 of 4/);
});

test("columns of the same name are refused by name", () => {
  assertRefused(() => read(["id", "a", "b", "a", "b", "a"]), /more than one column named "a", "b"/);
});

test("a column named __proto__ is refused", () => {
  assertRefused(() => read(["id", "__proto__"]), /"__proto__"/);
});

test("a primary key column that is not there is refused with the columns and the closest", () => {
  assertRefused(() => read(["ID ", "text"]), /no column "id"/, /"ID ", "text"/, /did you mean "ID "\?/);
  assertRefused(() => read(["what", "text"]), /rowNumberColumn adds one/);
});

test("a wrong delimiter is guessed from a header of one column", () => {
  assertRefused(() => read(["id;text"]), /is the delimiter ";"\?/);
  assertRefused(() => read(["id,text"], { delimiter: ";" }), /is the delimiter ","\?/);
});

test("a header of many columns is listed in part", () => {
  assertRefused(() => read(Array.from({ length: 300 }, (_, index) => `column ${index}`)), /and 250 more/);
});

test("a row number column may be the primary key, and may not be in the file", () => {
  assert.deepEqual(read(["text"], { rowNumberColumn: "id" }), ["text"]);
  assertRefused(() => read(["id", "text"], { rowNumberColumn: "text" }), /has a column "text" already/);
});

test("UTF-16 without a byte order mark is recognized by its zero bytes", () => {
  assertRefused(() => read(["i\0d\0", "\0t\0"]), /encoding: "utf-16le"/);
});
