import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { decode, unmapped } from "../../src/csv/decode.ts";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import { SourceError } from "../../src/errors/source.ts";

const seeded = { seed: 7, numRuns: 200 };

/** Decodes bytes that come in chunks of this size, in a buffer that is used again: the text, and the error that ended it. */
async function decodeAll(
  bytes: Uint8Array,
  encoding: string,
  chunkSize = 2,
): Promise<{ text: string; error: unknown }> {
  async function* chunks(): AsyncGenerator<Buffer> {
    const buffer = Buffer.alloc(chunkSize);
    for (let start = 0; start < bytes.length; start += chunkSize) {
      const length = Buffer.from(bytes.subarray(start, start + chunkSize)).copy(buffer);
      yield buffer.subarray(0, length);
    }
  }
  let text = "";
  try {
    for await (const chunk of decode(chunks(), encoding, "CSVSource /data/rows.csv")) text += chunk.toString("utf8");
  } catch (error) {
    return { text, error };
  }
  return { text, error: undefined };
}

function bytesOf(...parts: (string | readonly number[])[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from([...part]))));
}

function assertSourceError(error: unknown, facts: ErrorFacts): void {
  assert.ok(error instanceof SourceError, String(error));
  assert.partialDeepStrictEqual(error.facts, { source: "CSVSource /data/rows.csv", ...facts });
}

test("any text is decoded the same at any chunk boundary, with and without byte order mark", async () => {
  const anyText = fc.string({ unit: "binary", maxLength: 40 }).filter((text) => !text.startsWith("\uFEFF"));
  const cases = fc.record({ text: anyText, chunkSize: fc.integer({ min: 1, max: 9 }), mark: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(cases, async ({ text, chunkSize, mark }) => {
      const whole = (mark ? "\uFEFF" : "") + text;
      const utf8 = await decodeAll(Buffer.from(whole), "utf-8", chunkSize);
      const utf16 = await decodeAll(Buffer.from(whole, "utf16le"), "utf-16le", chunkSize);
      assert.deepEqual(utf8, { text, error: undefined });
      assert.deepEqual(utf16, utf8);
    }),
    seeded,
  );
});

test("any wrong byte in UTF-8 is found where it is, and the text before it is given", async () => {
  const cases = fc.record({
    before: fc.string({ unit: "binary", maxLength: 20 }),
    wrong: fc.constantFrom([0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82]),
    after: fc.constantFrom("", "a", "\u20ac and more"),
    chunkSize: fc.integer({ min: 1, max: 9 }),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ before, wrong, after, chunkSize }) => {
      const first = `x,${before}`; // so that no wrong byte makes a byte order mark
      const { text, error } = await decodeAll(bytesOf(first, wrong, after), "utf-8", chunkSize);
      assert.equal(text, first);
      assertSourceError(error, { offset: Buffer.byteLength(first), expected: "utf-8" });
    }),
    seeded,
  );
});

test("the offset of a wrong byte counts the byte order mark", async () => {
  const { error } = await decodeAll(bytesOf([0xef, 0xbb, 0xbf], "ab", [0xff]), "utf-8");
  assertSourceError(error, { offset: 5 });
});

test("UTF-16 with half a surrogate pair or half a unit is rejected with its offset", async () => {
  const ab = Buffer.from("ab", "utf16le");
  const cases: readonly (readonly [Buffer, number])[] = [
    [bytesOf([...ab], [0x3d, 0xd8], [...ab]), 4],
    [bytesOf([0xff, 0xfe], [...ab], [0x00, 0xde], [...ab]), 6],
    [bytesOf([...ab], [0x3d, 0xd8]), 4],
    [bytesOf([...ab], [0x61]), 4],
  ];
  for (const [bytes, offset] of cases) {
    for (const chunkSize of [1, 2, 3, 100]) {
      const { text, error } = await decodeAll(bytes, "utf-16le", chunkSize);
      assert.equal(text, "ab");
      assertSourceError(error, { offset, expected: "utf-16le" });
    }
  }
});

test("windows-1252 is read as such and not as ISO 8859-1", async () => {
  const { text } = await decodeAll(
    bytesOf("a", [0x80, 0x93, 0x94, 0x9c, 0xe9, 0x85, 0x99, 0xff, 0x81]),
    "windows-1252",
    1,
  );
  assert.equal(text, `a€“”œé…™ÿ${unmapped}`);
});

test("a byte order mark that contradicts the encoding is rejected with both", async () => {
  const utf16 = Buffer.from("\uFEFFid,text", "utf16le");
  const swapped = Buffer.from(utf16).swap16();
  const cases: readonly (readonly [Buffer, string, string])[] = [
    [utf16, "utf-8", "utf-16le"],
    [swapped, "utf-8", "utf-16be"],
    [swapped, "utf-16le", "utf-16be"],
    [Buffer.from("\uFEFFid"), "windows-1252", "utf-8"],
    [Buffer.from([0xff, 0xfe]), "utf-8", "utf-16le"],
  ];
  for (const [bytes, expected, got] of cases) {
    const { error } = await decodeAll(bytes, expected);
    assertSourceError(error, { expected, got });
    assert.ok(error instanceof SourceError && (error.facts.hint?.length ?? 0) > 0);
  }
});

test("a file of fewer bytes than a byte order mark is decoded", async () => {
  assert.deepEqual(await decodeAll(Buffer.from("a"), "utf-8"), { text: "a", error: undefined });
  assert.deepEqual(await decodeAll(Buffer.from(""), "utf-8"), { text: "", error: undefined });
  assert.deepEqual(await decodeAll(Buffer.from([0x80]), "windows-1252"), { text: "€", error: undefined });
  assertSourceError((await decodeAll(Buffer.from([0xe2, 0x82]), "utf-8")).error, { offset: 0 });
});
