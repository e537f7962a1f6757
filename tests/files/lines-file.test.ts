import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { LinesFile } from "../../src/files/lines-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
let files = 0;
function newPath(): string {
  files += 1;
  return join(folder, `lines ${files}`, "log.jsonl");
}

/** The names beside a file, without that of its lock. */
function namesBeside(path: string): string[] {
  return readdirSync(join(path, "..")).filter((name) => !name.endsWith(".lock"));
}

test("a file is created with its folders and mode 0600, whatever the umask", async () => {
  const before = process.umask(0);
  try {
    const path = newPath();
    const file = await LinesFile.open(path, { durable: true });
    await file.append("one");
    await file.close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal(readFileSync(path, "utf8"), "one\n");
  } finally {
    process.umask(before);
  }
});

test("a database is rejected: lines would damage it", async () => {
  const path = join(folder, "database.db");
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE rows (id)");
  database.close();
  const before = readFileSync(path);
  await assert.rejects(LinesFile.open(path, { durable: true }), { code: "SQLITE_DATABASE" });
  assert.deepEqual(readFileSync(path), before);
});

test("lines are appended to what is there", async () => {
  const path = newPath();
  for (const line of ["one", "two"]) {
    const file = await LinesFile.open(path, { durable: false });
    await file.append(line);
    await file.close();
  }
  assert.equal(readFileSync(path, "utf8"), "one\ntwo\n");
});

test("a last line that was cut off is ended first", async () => {
  const path = newPath();
  mkdirSync(join(path, ".."));
  writeFileSync(path, '{"a":1}\n{"b":');
  const file = await LinesFile.open(path, { durable: false });
  await file.append('{"c":3}');
  await file.close();
  assert.equal(readFileSync(path, "utf8"), '{"a":1}\n{"b":\n{"c":3}\n');
});

test("many writers at once each get a line of their own, in the order in which they asked", async () => {
  const path = newPath();
  const file = await LinesFile.open(path, { durable: true });
  const lines = Array.from({ length: 500 }, (_, index) => `${index} ${"ü".repeat(index % 50)}`);
  await Promise.all(lines.map(async (line) => await file.append(line)));
  await file.close();
  assert.deepEqual(readFileSync(path, "utf8").split("\n"), [...lines, ""]);
});

test("closing waits for lines that are not written yet", async () => {
  const path = newPath();
  const file = await LinesFile.open(path, { durable: false });
  const waiting = Promise.all([file.append("one"), file.append("two")]);
  await file.close();
  await waiting;
  assert.equal(readFileSync(path, "utf8"), "one\ntwo\n");
});

test("a full file is renamed and a new one begun: no line is lost, however often in one millisecond", async () => {
  const path = newPath();
  const file = await LinesFile.open(path, { durable: false, maxBytes: 1 });
  const lines = Array.from({ length: 200 }, (_, index) => `line ${index}`);
  for (const line of lines) await file.append(line);
  await file.close();
  const names = namesBeside(path);
  assert.equal(names.length, 200);
  assert.ok(
    names.every((name) => /^log(\.\d{8}T\d{9}Z(-\d+)?)?\.jsonl$/.test(name)),
    names[0],
  );
  const contents = names.map((name) => readFileSync(join(path, "..", name), "utf8").trim());
  assert.deepEqual(contents.toSorted(), lines.toSorted());
  assert.equal(readFileSync(path, "utf8"), "line 199\n");
  assert.ok(names.every((name) => (statSync(join(path, "..", name)).mode & 0o777) === 0o600));
});

test("a file below its limit is not renamed, also when it was begun by an earlier run", async () => {
  const path = newPath();
  for (const line of ["12345678", "9"]) {
    const file = await LinesFile.open(path, { durable: false, maxBytes: 9 });
    await file.append(line);
    await file.close();
  }
  const rotated = namesBeside(path);
  assert.equal(rotated.length, 2);
  assert.equal(readFileSync(path, "utf8"), "9\n");
});

test("a file that was deleted, alone or with its folder, is begun anew", async () => {
  for (const durable of [true, false]) {
    const path = newPath();
    const file = await LinesFile.open(path, { durable });
    await file.append("one");
    rmSync(path);
    await file.append("two");
    assert.equal(readFileSync(path, "utf8"), "two\n");
    rmSync(join(path, ".."), { recursive: true });
    await file.append("three");
    await file.close();
    assert.equal(readFileSync(path, "utf8"), "three\n");
  }
});

test("a file that somebody has moved away is begun anew when it is full", async () => {
  const path = newPath();
  const file = await LinesFile.open(path, { durable: false, maxBytes: 1 });
  await file.append("one");
  renameSync(path, `${path}.moved`);
  await file.append("two");
  await file.close();
  assert.equal(readFileSync(`${path}.moved`, "utf8"), "one\n");
  assert.equal(readFileSync(path, "utf8"), "two\n");
});

test("two that append to one file count what both have written, and rotate it once", async () => {
  const path = newPath();
  const one = await LinesFile.open(path, { durable: false, maxBytes: 10 });
  const other = await LinesFile.open(path, { durable: false, maxBytes: 10 });
  await one.append("a".repeat(9));
  await other.append("b".repeat(9));
  await one.append("c");
  await other.append("d");
  await Promise.all([one.close(), other.close()]);
  const contents = namesBeside(path).map((name) => readFileSync(join(path, "..", name), "utf8"));
  assert.deepEqual(contents.toSorted(), [`${"a".repeat(9)}\n`, `${"b".repeat(9)}\n`, "c\nd\n"]);
  assert.equal(readFileSync(path, "utf8"), "c\nd\n");
});

test("many that append to one full file at the same time rotate it, and lose nothing", async () => {
  const path = newPath();
  const writers = await Promise.all(
    Array.from({ length: 8 }, async () => await LinesFile.open(path, { durable: false, maxBytes: 40 })),
  );
  const lines = Array.from({ length: 160 }, (_, index) => `line ${index}`);
  await Promise.all(
    writers.map(async (writer, at) => {
      for (const line of lines.slice(20 * at, 20 * (at + 1))) await writer.append(line);
    }),
  );
  for (const writer of writers) await writer.close();
  const contents = namesBeside(path).flatMap((name) =>
    readFileSync(join(path, "..", name), "utf8")
      .trim()
      .split("\n"),
  );
  assert.deepEqual(contents.toSorted(), lines.toSorted());
});

test("the file that a link leads to is rotated where it is, and the link stays", async () => {
  const path = newPath();
  mkdirSync(join(path, "..", "disk"), { recursive: true });
  symlinkSync(join("disk", "log.jsonl"), path);
  const file = await LinesFile.open(path, { durable: false, maxBytes: 1 });
  for (const line of ["one", "two"]) await file.append(line);
  await file.close();
  assert.ok(lstatSync(path).isSymbolicLink());
  assert.equal(readFileSync(path, "utf8"), "two\n");
  assert.equal(namesBeside(join(path, "..", "disk", "log.jsonl")).length, 2);
});

for (const durable of [true, false]) {
  test(`a line that the disk has no room for leaves nothing of itself (durable: ${durable})`, async (context) => {
    const path = newPath();
    const file = await LinesFile.open(path, { durable });
    await file.append("one");
    const handle = await open(path, "r");
    await handle.close();
    const prototype: FileHandle = Object.getPrototypeOf(handle);
    let room = 5;
    // Writes what there is room for, as a full disk does, and then nothing.
    const cut = context.mock.method(prototype, "write", async function (this: FileHandle, bytes: Buffer, from = 0) {
      if (room === 0) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      const length = Math.min(room, bytes.length - from);
      room -= length;
      return { bytesWritten: writeSync(this.fd, bytes, from, length) };
    });
    await assert.rejects(file.append("two and more"), { code: "ENOSPC" });
    assert.equal(readFileSync(path, "utf8"), "one\n");
    cut.mock.restore();
    await file.append("three");
    await file.close();
    assert.equal(readFileSync(path, "utf8"), "one\nthree\n");
  });
}

test("the beginning of a line that another process has left is ended before the next line", async () => {
  const path = newPath();
  const file = await LinesFile.open(path, { durable: false });
  await file.append("one");
  appendFileSync(path, '{"half":');
  await file.append("two");
  await file.close();
  assert.equal(readFileSync(path, "utf8"), 'one\n{"half":\ntwo\n');
});

test(
  "an older file that others can read is made its owner's alone",
  { skip: process.platform === "win32" },
  async () => {
    const path = newPath();
    mkdirSync(join(path, ".."));
    writeFileSync(path, "one\n", { mode: 0o666 });
    chmodSync(path, 0o666);
    await (await LinesFile.open(path, { durable: false })).close();
    assert.equal(statSync(path).mode & 0o777, 0o600);
  },
);

test("a lock file that is none says so", async () => {
  const path = newPath();
  mkdirSync(join(path, ".."));
  writeFileSync(`${path}.lock`, "no database".repeat(100));
  await assert.rejects(LinesFile.open(path, { durable: true }), { code: "LOCK_DAMAGED", message: /log\.jsonl\.lock/ });
});

test("a full disk rejects the line", { skip: existsSync("/dev/full") ? false : "there is no /dev/full" }, async () => {
  const file = await LinesFile.open("/dev/full", { durable: false });
  await assert.rejects(file.append("one"), { code: "ENOSPC" });
  await assert.rejects(file.append("two"), { code: "ENOSPC" });
  await file.close();
});

test("a path that can't be written is rejected at opening", async () => {
  const path = newPath();
  mkdirSync(path, { recursive: true });
  await assert.rejects(LinesFile.open(path, { durable: false }), { code: "EISDIR" });
});

test("a line that is added at any moment is written: none waits for the next one", async (context) => {
  const path = newPath();
  const file = await LinesFile.open(path, { durable: false });
  const handle = await open(path, "r");
  await handle.close();
  // Without the disk everything happens in one turn of the event loop, whose every moment is tried.
  context.mock.method(Object.getPrototypeOf(handle), "write", async (bytes: Buffer) => ({
    bytesWritten: bytes.length,
  }));
  for (let moments = 0; moments < 40; moments += 1) {
    const outcomes: string[] = [];
    const add = async (line: string): Promise<void> => {
      await file.append(line);
      outcomes.push(line);
    };
    void add("one");
    let left = moments;
    const wait = (): void => {
      left -= 1;
      if (left < 0) void add("two");
      else queueMicrotask(wait);
    };
    wait();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(outcomes, ["one", "two"], `after ${moments} moments`);
  }
  await file.close();
});
