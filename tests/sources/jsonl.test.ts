import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { z } from "zod";
import type { SourceRow } from "../../src/contracts/source.ts";
import { linesOf } from "../../src/data-file/text-lines.ts";
import { JSONLSource } from "../../src/sources/jsonl.ts";
import { sourceContract } from "../../src/testing/source-contract.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const folder = temporaryFolder();
let fileCount = 0;
function fileOf(content: string | Uint8Array): string {
  fileCount += 1;
  const path = join(folder, `rows ${fileCount}.jsonl`);
  writeFileSync(path, content);
  return path;
}

const context = () => ({ signal: new AbortController().signal, parameters: {} });

async function readAll(content: string | Uint8Array): Promise<readonly SourceRow[]> {
  const source = new JSONLSource({ filePath: fileOf(content), primaryKeyColumn: "id" });
  return await Array.fromAsync(source.read(context()));
}

/** The rows, or the facts of their errors. */
function seen(rows: readonly SourceRow[]): readonly unknown[] {
  return rows.map((row) => ("error" in row ? [row.error.code, row.error.facts["line"]] : row.raw));
}

describe("JSONLSource keeps the contract of sources", () => {
  const path = fileOf('\uFEFF{"id":"1","text":"one"}\r\n\r\n{"id":"2","text":"a\\nline"}\n{"id":"3","text":""}');
  const rows = [
    { id: "1", text: "one" },
    { id: "2", text: "a\nline" },
    { id: "3", text: "" },
  ];
  const create = () => new JSONLSource({ filePath: pathToFileURL(path), primaryKeyColumn: "id" });
  for (const { name, check } of sourceContract({ create, rows })) test(name, check);
});

test("a number that JavaScript's numbers do not hold keeps its digits", async () => {
  const rows = await readAll(
    '{"id":1,"big":12345678901234567890,"exact":0.1234567890123456789,"small":0.5,"plain":1e3}\n',
  );
  assert.deepEqual(seen(rows), [
    { id: 1, big: 12345678901234567890n, exact: "0.1234567890123456789", small: 0.5, plain: 1000 },
  ]);
});

test("nested values are as the file has them, and a schema converts rows", async () => {
  const Message = z.object({ id: z.number(), tags: z.array(z.string()), at: z.coerce.date() });
  const filePath = fileOf('{"id":1,"tags":["a"],"at":"2026-01-02"}\n');
  const source = new JSONLSource({ filePath, primaryKeyColumn: "id", schema: Message });
  assert.equal(source.schema, Message);
  assert.deepEqual(seen(await Array.fromAsync(source.read(context()))), [{ id: 1, tags: ["a"], at: "2026-01-02" }]);
});

test("a line that is no JSON object is a row error with its line number, and reading goes on", async () => {
  const bad = ['{"id":', "[1]", "5", '"x"', "null", "{'id': 1}", "NaN", '{"id":1} {"id":2}'];
  const rows = await readAll(["", '{"id":0}', ...bad, '{"id":9}'].join("\n"));
  assert.deepEqual(seen(rows), [{ id: 0 }, ...bad.map((_, index) => ["JSONL_ROW_INVALID", index + 3]), { id: 9 }]);
  assert.deepEqual(
    rows.map(({ position }) => position),
    rows.map((_, index) => index + 1),
  );
});

test("the words of a bad line stand in the detail only", async () => {
  const [, row] = await readAll('{"id":1}\n{"id":2,"name":"Jane Doe"\n');
  assert.ok(row !== undefined && "error" in row);
  assert.ok(!row.error.message.includes("Jane") && row.error.detail.includes("Jane"));
  assert.equal(row.raw, '{"id":2,"name":"Jane Doe"');
});

test("a line with bytes that are not UTF-8 is a row error", async () => {
  const rows = await readAll(
    Buffer.concat([Buffer.from('{"id":1}\n{"id":"'), Buffer.from([0xe4]), Buffer.from('"}\n{"id":3}')]),
  );
  assert.deepEqual(seen(rows), [{ id: 1 }, ["JSONL_ROW_INVALID", 2], { id: 3 }]);
});

test("a file in UTF-16, a list and an object over several lines end the source, with the way to make lines of them", async () => {
  const utf16 = Buffer.from('\uFEFF{"id":1}', "utf16le");
  await assert.rejects(readAll(utf16), failsWith("SOURCE_FAILED", { expected: "utf-8", got: "utf-16" }));
  const expected = { expected: "one JSON object on each line" };
  for (const value of ['[{"id":1},{"id":2}]', '[\n{"id":1}\n]', '{\n  "id": 1\n}', "[\n"]) {
    await assert.rejects(readAll(value), failsWith("SOURCE_FAILED", expected), value);
  }
});

test("a file that is missing, a folder and a parameter are named", async () => {
  const read = async (filePath: string, parameters = {}) =>
    await Array.fromAsync(new JSONLSource({ filePath, primaryKeyColumn: "id" }).read({ ...context(), parameters }));
  await assert.rejects(read(join(folder, "none.jsonl")), failsWith("SOURCE_FAILED", { code: "ENOENT" }));
  mkdirSync(join(folder, "folder"));
  await assert.rejects(read(join(folder, "folder")), failsWith("SOURCE_FAILED", { code: "EISDIR" }));
  await assert.rejects(read(fileOf("{}"), { from: 1 }), failsWith("SOURCE_FAILED", { got: "from" }));
});

test("an empty file has no rows, and rows are counted without blank lines", async () => {
  assert.deepEqual(await readAll(""), []);
  assert.deepEqual(await readAll("\n \r\n\t\n"), []);
  const source = new JSONLSource({ filePath: fileOf('{"id":1}\n\n{"id":2}\nx\n'), primaryKeyColumn: "id" });
  assert.equal(await source.count({ ...context(), limit: Infinity }), 3);
  assert.equal(await source.count({ ...context(), limit: 2 }), 2);
});

test("a line that is too long is left out, and those around it are read", async () => {
  const lines = await Array.fromAsync(
    linesOf(chunks(Buffer.from("ab\nabcdef\nabcd\nabcde"), 2), { owner: "x", maxLineBytes: 4 }),
    ({ number, bytes }) => [number, bytes?.toString() ?? null],
  );
  assert.deepEqual(lines, [
    [1, "ab"],
    [2, null],
    [3, "abcd"],
    [4, null],
  ]);
});

test("any lines come back, however the file is cut into chunks", async () => {
  const line = fc.string({ unit: "binary", maxLength: 12 }).map((text) => text.replaceAll(/[\n\r\uFEFF]/g, "x"));
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 8 }),
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      async (lines, size, isCRLF) => {
        const bytes = Buffer.from(lines.map((text) => text + (isCRLF ? "\r\n" : "\n")).join(""));
        const found = await Array.fromAsync(
          linesOf(chunks(bytes, size), { owner: "x", maxLineBytes: 1000 }),
          (each) => {
            return each.bytes?.toString();
          },
        );
        assert.deepEqual(
          found,
          Buffer.from(lines.join("\n")).toString() === "" && lines.length === 0
            ? []
            : lines.map((text) => Buffer.from(text).toString()),
        );
      },
    ),
  );
});

/** Bytes in chunks of a size, each overwritten by the next. */
async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Buffer, void, undefined> {
  const buffer = Buffer.alloc(size);
  for (let start = 0; start < bytes.length; start += size) {
    const length = bytes.copy(buffer, 0, start, start + size);
    yield await Promise.resolve(buffer.subarray(0, length));
  }
}

for (const [what, options, where] of [
  ["no file", { primaryKeyColumn: "id" }, "filePath"],
  ["a blank key", { filePath: "x.jsonl", primaryKeyColumn: " " }, "primaryKeyColumn"],
  ["another option", { filePath: "x.jsonl", primaryKeyColumn: "id", delimiter: ";" }, "delimiter"],
] as const) {
  test(`${what} is rejected at construction`, () => {
    assert.throws(() => new JSONLSource(options as never), failsWith("INVALID_OPTION", { where })); // as in JavaScript
  });
}
