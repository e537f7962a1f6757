import assert from "node:assert/strict";
import { test } from "node:test";
import iconv from "iconv-lite";
import { decode, unmapped } from "../../src/csv/decode.ts";
import { requireEncoding } from "../../src/csv/encodings.ts";
import { OptionError } from "../../src/errors/option.ts";
import { readContent, rawsOf } from "../support/csv-reading.ts";

async function textOf(bytes: Buffer, encoding: string, chunkSize: number): Promise<string> {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let start = 0; start < bytes.length; start += chunkSize) yield bytes.subarray(start, start + chunkSize);
  }
  let text = "";
  for await (const chunk of decode(chunks(), encoding, "CSVSource")) text += chunk.toString("utf8");
  return text;
}

const texts: Readonly<Record<string, string>> = {
  "utf-16be": "id,text\n1,“naïve” – 5 € 😀 中文\n",
  big5: "id,text\n1,許功蓋 中文\n",
  gbk: "id,text\n1,中文，汉字\n",
  gb18030: "id,text\n1,中文 😀 €\n",
  shift_jis: "id,text\n1,表示 ソート\n",
  "euc-kr": "id,text\n1,한국어\n",
  "windows-1250": "id,text\n1,Příliš žluťoučký\n",
  "windows-1251": "id,text\n1,Привет\n",
  "windows-1253": "id,text\n1,Γειά σου\n",
  "iso-8859-2": "id,text\n1,Łódź\n",
  cp850: "id,text\n1,Ünïcode\n",
  macintosh: "id,text\n1,café “quoted” –\n",
  maccyrillic: "id,text\n1,Привет\n",
};

test("each encoding is read the same at any chunk boundary", async () => {
  for (const [encoding, text] of Object.entries(texts)) {
    const bytes = iconv.encode(text, encoding);
    for (const chunkSize of [1, 2, 3, 5, 100]) {
      assert.equal(await textOf(bytes, requireEncoding("CSVSource", encoding), chunkSize), text, encoding);
    }
  }
});

test("no character is lost where a chunk begins within one and is full of others", async () => {
  const head = iconv.encode("😀", "gb18030");
  for (let cut = 1; cut < head.length; cut += 1) {
    const text = `${"x".repeat(20 - cut)}😀${"y".repeat(40)}\n`;
    for (const start of ["", "\ufffe"]) {
      const bytes = Buffer.concat([Buffer.from(start === "" ? [] : [0xff]), iconv.encode(text, "gb18030")]);
      assert.equal(await textOf(bytes, "gb18030", 20), start + text);
    }
  }
  const cjk = "中".repeat(1_200_000); // no byte in it ends a character for sure
  assert.equal(await textOf(iconv.encode(`${cjk}\n1`, "gbk"), "gbk", 65_536), `${cjk}\n1`);
});

test("UTF-16BE is read with and without its byte order mark", async () => {
  const bytes = Buffer.from("\uFEFFid,text\n1,é\n", "utf16le").swap16();
  for (const content of [bytes, bytes.subarray(2)]) {
    assert.deepEqual(rawsOf(await readContent(content, { encoding: "utf-16be" })), [{ id: "1", text: "é" }]);
  }
});

test("a byte that is no character is the error of its row alone, with its column, in whatever encoding", async () => {
  const files: readonly (readonly [string, Buffer])[] = [
    ["big5", Buffer.from("id,text\n1,a\xff\n2,b\x81\n3,c\n", "latin1")],
    ["gbk", Buffer.from("id,text\n1,\x81\n2,b\xff\n3,c\n", "latin1")],
    ["shift_jis", Buffer.from("id,text\n1,\x81\n2,\xfd\n3,c\n", "latin1")],
    ["windows-1252", Buffer.from("id,text\n1,\x81\n2,\x9d\n3,c\n", "latin1")],
    ["windows-1253", Buffer.from("id,text\n1,\xd2\n2,\xff\n3,c\n", "latin1")],
    ["utf-16be", Buffer.from("id,text\n1,\ud83d\n2,\ude00\n3,c\n", "utf16le").swap16()],
  ];
  for (const [encoding, content] of files) {
    const { rows, error } = await readContent(content, { encoding });
    assert.equal(error, undefined, encoding);
    const [first, second, third] = rows;
    for (const [row, line] of [
      [first, 2],
      [second, 3],
    ] as const) {
      assert.ok(row !== undefined && "error" in row, encoding);
      assert.equal(row.error.code, "CSV_ROW_INVALID");
      assert.partialDeepStrictEqual(row.error.facts, { line, expected: encoding, columns: [2] });
    }
    assert.deepEqual(third, { position: 3, raw: { id: "3", text: "c" } }, encoding);
  }
});

test("half a character at the end of the file is no character", async () => {
  for (const [encoding, bytes] of [
    ["big5", [0x61, 0xa4]],
    ["utf-16be", [0, 0x61, 0]],
    ["utf-16be", [0, 0x61, 0xd8, 0x3d]],
  ] as const) {
    for (const size of [1, 2, 9])
      assert.equal(await textOf(Buffer.from(bytes), encoding, size), `a${unmapped}`, encoding);
  }
});

test("another name of an encoding that we have is taken for it, one of no text is rejected with the nearest", () => {
  assert.equal(requireEncoding("CSVSource", "cp1252"), "windows-1252");
  assert.equal(requireEncoding("CSVSource", "UTF-16BE"), "utf-16be");
  for (const [name, nearest] of [
    ["utf8", "utf-8"],
    ["windows-1259", "windows-1250"],
    ["ucs2", "utf-16le"],
  ] as const) {
    assert.throws(
      () => requireEncoding("CSVSource", name),
      (error) => error instanceof OptionError && error.facts["nearest"] === nearest,
      name,
    );
  }
});
