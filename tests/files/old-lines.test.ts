import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LinesFile } from "../../src/files/lines-file.ts";
import { daysAgo, removeOldLines } from "../../src/files/old-lines.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
const before = daysAgo(30);
const now = Date.now();
const timeAgo = (days: number): string => new Date(now - days * 86_400_000).toISOString();
const newPath = (): string => join(mkdtempSync(join(folder, "case-")), "log.jsonl");

function line(days: number, text = ""): string {
  return `${JSON.stringify({ timestamp: timeAgo(days), text })}\n`;
}

/** A line that has its time behind what a row holds. */
function late(days: number): string {
  return `${JSON.stringify({ raw: { timestamp: "2001-01-01" }, timestamp: timeAgo(days) })}\n`;
}

async function left(content: string): Promise<string> {
  const path = newPath();
  writeFileSync(path, content);
  await removeOldLines(path, before);
  return readFileSync(path, "utf8");
}

test("lines that are older leave the file, wherever they say their time, and the others stay as they were", async () => {
  assert.equal(await left(line(40) + late(31) + line(29) + late(1)), line(29) + late(1));
  assert.equal(await left(line(40) + line(29) + line(35) + line(1)), line(29) + line(1));
  assert.equal(
    await left(line(40, "é".repeat(2_000_000)) + line(2, "x".repeat(3_000_000))),
    line(2, "x".repeat(3_000_000)),
  );
  assert.equal(await left(line(40)), "");
  assert.equal(await left(""), "");
});

test("a line without a time is as old as the one before it, or else the one after", async () => {
  const cut = '{"timestamp":"20';
  assert.equal(await left(`${line(40)}${cut}\n${line(1)}${cut}`), `${line(1)}${cut}`);
  assert.equal(await left(`${cut}\n${line(40)}${line(1)}`), line(1));
  assert.equal(await left(`${cut}\nno JSON\n\n`), `${cut}\nno JSON\n\n`);
});

test("a file in which nothing is old is not written anew, and one that is not there is not made", async () => {
  const path = newPath();
  await removeOldLines(path, before);
  await removeOldLines(join(path, "..", "nowhere", "log.jsonl"), before);
  assert.ok(!existsSync(path));
  writeFileSync(path, line(29) + line(1));
  const { ino } = statSync(path);
  await removeOldLines(path, before);
  assert.equal(statSync(path).ino, ino);
});

test("the files that it was before it was renamed lose their old lines, and go when nothing is left; others stay", async () => {
  const path = newPath();
  const beside = (name: string): string => join(path, "..", name);
  const [gone, part] = ["log.20260101T000000000Z.jsonl", "log.20260202T000000000Z-2.jsonl"];
  const others = ["log.old.jsonl", "log.20260101T000000000Z.txt", "other.20260101T000000000Z.jsonl"];
  for (const name of [gone, ...others]) writeFileSync(beside(name), line(50) + line(40));
  writeFileSync(beside(part), line(31) + line(29), { mode: 0o644 });
  const link = beside("link.jsonl");
  writeFileSync(path, line(40) + line(2));
  symlinkSync(path, link);
  await removeOldLines(link, before);
  assert.equal(readFileSync(path, "utf8"), line(2));
  assert.equal(readFileSync(beside(part), "utf8"), line(29));
  assert.equal(statSync(beside(part)).mode & 0o777, 0o600);
  const names = readdirSync(beside(".")).toSorted();
  assert.deepEqual(names, ["link.jsonl", "log.jsonl", "log.jsonl.lock", part, ...others].toSorted());
});

test("one that appends to the file meanwhile goes on in the new one, and loses nothing", async () => {
  const path = newPath();
  writeFileSync(path, line(40) + line(2));
  const file = await LinesFile.open(path, { durable: false });
  const appended = Promise.all(Array.from({ length: 50 }, async (_, index) => await file.append(`${index}`)));
  await removeOldLines(path, before);
  await appended;
  await file.append("last");
  await file.close();
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  assert.equal(lines.length, 52);
  assert.equal(lines.at(-1), "last");
});
