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
