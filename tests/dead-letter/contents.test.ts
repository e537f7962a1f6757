import assert from "node:assert/strict";
import { appendFileSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { DeadLetterContents } from "../../src/dead-letter/contents.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();

function line(pk: string | null, note = ""): string {
  return `${JSON.stringify({ pk, error_code: "X", timestamp: "2025-01-01T00:00:00Z", raw_data: { note } })}\n`;
}

async function readOn(contents: DeadLetterContents, path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await contents.readOn(file);
  } finally {
    await file.close();
  }
}

test("the last line of a row counts, and every line that stands for no row, in the file's order", async () => {
  const path = join(folder, "last.jsonl");
  writeFileSync(path, `${line("a")}${line("b")}\nno JSON\n${line(null)}${line("a", "é😀")}`);
  const contents = new DeadLetterContents("visits");
  await readOn(contents, path);
  const { lines, rows, end } = contents;
  assert.deepEqual(
    lines.map(({ number, pk }) => [number, pk]),
    [
      [2, "b"],
      [4, null],
      [5, null],
      [6, "a"],
    ],
  );
  assert.deepEqual(
    [...rows].map(({ pk }) => pk),
    ["b", "a"],
  );
  assert.equal(end, Buffer.byteLength(`${line("a")}${line("b")}\nno JSON\n${line(null)}${line("a", "é😀")}`));
});

test("of a row without a key of its own the lines of its last run count, as it is known by its content", async () => {
  const path = join(folder, "keyless.jsonl");
  const keyless = (run_id: string | undefined, fields: object): string =>
    `${JSON.stringify({ pk: null, run_id, error_code: "CSV_ROW_INVALID", timestamp: "2025-01-01T00:00:00Z", ...fields })}\n`;
  const duplicate = { pk: "a", error_code: "PRIMARY_KEY_DUPLICATE", raw_data: { id: "a" } };
  const lines = [
    keyless("1", { raw_data: ["x"], error_message: "line 2" }),
    keyless("1", { raw_data: ["x"], error_message: "line 4" }),
    keyless("1", { raw_data: ["y"] }),
    keyless("1", duplicate),
    keyless("1", { raw_data: null, error_message: "stopped here" }),
    keyless("1", { raw_data: { x: { $unencodable: "Error" } } }),
    keyless("1", { pipeline: "bills", raw_data: ["x"] }),
    keyless(undefined, { raw_data: ["y"] }),
    keyless("2", { raw_data: ["x"], error_message: "line 3" }),
    keyless("2", duplicate),
    keyless("2", { ...duplicate, raw_data: { id: "a", more: 1 } }),
    keyless("2", { raw_data: null, error_message: "stopped there" }),
    keyless("2", { raw_data: { x: { $unencodable: "Error" } } }),
  ];
  writeFileSync(path, lines.join(""));
  const contents = new DeadLetterContents("visits");
  await readOn(contents, path);
  assert.deepEqual(
    contents.lines.map(({ number }) => number),
    [3, 5, 6, 7, 8, 9, 10, 11, 12, 13],
  );
  assert.equal(contents.outdatedCount, 3);
});

test("reading goes on with what was appended, and leaves a last line that has no end yet", async () => {
  const path = join(folder, "appended.jsonl");
  writeFileSync(path, `${line("a")}{"pk":"b`);
  const contents = new DeadLetterContents("visits");
  await readOn(contents, path);
  assert.equal(contents.end, line("a").length);
  appendFileSync(path, `\n${line("a")}`);
  await readOn(contents, path);
  assert.deepEqual(
    contents.lines.map(({ number, pk, start }) => [number, pk, start]),
    [
      [2, null, line("a").length],
      [3, "a", line("a").length + 9],
    ],
  );
});

test("lines of any length are found where they are, wherever the file is cut into pieces for reading", async () => {
  const path = join(folder, "long.jsonl");
  const lengths = [10, 1024 ** 2 - 200, 3 * 1024 ** 2, 5, 1024 ** 2, 1];
  const lines = lengths.map((length, index) => line(`r${index}`, "x".repeat(length)));
  writeFileSync(path, lines.join(""));
  const contents = new DeadLetterContents("visits");
  await readOn(contents, path);
  assert.deepEqual(
    contents.lines.map(({ pk, start, end }) => [pk, end - start]),
    lines.map((text, index) => [`r${index}`, text.length]),
  );
});
