import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { codePage } from "../../../src/sql-server/write/code-page.ts";

test("a code page of Windows holds its characters, one byte each, and no others", () => {
  const western = codePage(1252);
  assert.equal(western?.bytesOf("Grüße €"), 7);
  assert.equal(western?.bytesOf("Łódź"), undefined);
  assert.equal(western?.bytesOf("a\u{1F600}"), undefined);
  assert.equal(codePage(1250)?.bytesOf("Łódź"), 4);
  assert.equal(codePage(874)?.bytesOf("ไทย"), 3);
});

test("UTF-8 holds all, and counts bytes", () => {
  assert.equal(codePage(65_001)?.bytesOf("Grüße €\u{1F600}"), 15);
});

test("of other code pages nothing is claimed", () => {
  for (const number of [0, 437, 850, 932, 936, 949, 950]) assert.equal(codePage(number), undefined);
});

test("what a code page says that it holds, it decodes to the same text", () => {
  for (const number of [874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258]) {
    const decoder = new TextDecoder(`windows-${number}`);
    const characters = Array.from({ length: 256 }, (_, code) => decoder.decode(Uint8Array.of(code)));
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const bytes = codePage(number)?.bytesOf(text);
        const encoded = text.split("").map((character) => characters.indexOf(character));
        assert.equal(bytes, encoded.includes(-1) || text.includes("\u{FFFD}") ? undefined : encoded.length);
      }),
      { seed: 5, numRuns: 100 },
    );
  }
});
