import assert from "node:assert/strict";
import { test } from "node:test";
import { readLine } from "../../src/dead-letter/line.ts";

const fields = { pk: "a", error_code: "STEP_FAILED", timestamp: "2025-02-02T10:31:00.000Z", raw_data: { id: "a" } };
const read = (line: unknown) => readLine(Buffer.from(`${JSON.stringify(line)}\n`), "visits");

test("a line holds a row's key, error code, time and data, with the types that the source gave", () => {
  assert.deepEqual(read({ ...fields, raw_data: { id: "a", at: { $date: "2025-01-01T00:00:00.000Z" } } }), {
    pk: "a",
    errorCode: "STEP_FAILED",
    failedAtMs: Date.UTC(2025, 1, 2, 10, 31),
    raw: { id: "a", at: new Date("2025-01-01T00:00:00.000Z") },
    problem: null,
  });
});

test("a byte order mark and a Windows end of line, which editors leave, do no harm", () => {
  const content = readLine(Buffer.from(`\uFEFF${JSON.stringify(fields)}\r\n`), "visits");
  assert.equal(content.problem, null);
});

test("a line that stands for no row in particular says why", () => {
  const { pk: _, ...withoutKey } = fields;
  const cases: [unknown, string][] = [
    [5, "is a number, expected an object"],
    [[fields], "is an array of 1, expected an object"],
    [{ ...fields, pk: null }, "its row has no primary key"],
    [withoutKey, 'its "pk" is nothing, expected text'],
    [{ ...fields, pk: 7 }, 'its "pk" is a number, expected text'],
    [{ ...fields, error_code: null }, 'its "error_code" is NULL, expected text'],
    [{ ...fields, error_code: "PRIMARY_KEY_DUPLICATE" }, "another row of its run has the same primary key"],
    [{ ...fields, timestamp: "then" }, 'its "timestamp" is no time'],
    [{ ...fields, timestamp: 5 }, 'its "timestamp" is no time'],
  ];
  for (const [line, problem] of cases) assert.deepEqual(read(line), { pk: null, problem });
});

test("what is no JSON in UTF-8 is no line on a row", () => {
  const notJSON = { pk: null, problem: "is not JSON in UTF-8: a crash cut it off, or it was edited" };
  assert.deepEqual(readLine(Buffer.from('{"pk":"a","raw_'), "visits"), notJSON);
  assert.deepEqual(readLine(Buffer.from([0x22, 0xff, 0x22]), "visits"), notJSON);
});

test("a row that the line does not hold whole is known by its key, and can't be had back", () => {
  const nested = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
  const cases: [string, string][] = [
    ["null", 'its "raw_data" is NULL, expected an object'],
    ['"text"', 'its "raw_data" is a text of 4 characters, expected an object'],
    ['{"list":[{"x":{"$unencodable":"RangeError"}}]}', "its row held a value that could not be kept"],
    ['{"$unencodable":"RangeError"}', "its row held a value that could not be kept"],
    ['{"$bigint":"5"}', 'its "raw_data" is a value, expected an object'],
    [`{"deep":${nested}}`, 'its "raw_data" is nested too deeply'],
  ];
  for (const [rawData, problem] of cases) {
    const text = JSON.stringify({ ...fields, raw_data: "here" }).replace('"here"', () => rawData);
    const content = readLine(Buffer.from(text), "visits");
    assert.deepEqual(
      { ...content, failedAtMs: 0 },
      { pk: "a", errorCode: "STEP_FAILED", failedAtMs: 0, raw: null, problem },
    );
  }
});
