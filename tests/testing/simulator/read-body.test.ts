import assert from "node:assert/strict";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { test } from "node:test";
import { readBody } from "../../../src/testing/simulator/read-body.ts";

/** The body that is handed over after these chunks; "nothing" if none is. */
async function bodyOf(chunks: readonly string[], maxBytes: number, isWhole = true): Promise<string | undefined> {
  const request = new IncomingMessage(new Socket());
  let body: string | undefined = "nothing";
  readBody(request, maxBytes, (bytes) => (body = bytes?.toString()));
  for (const chunk of chunks) request.push(Buffer.from(chunk));
  if (isWhole) request.push(null);
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  return body;
}

test("a body is handed over when it is whole, in one chunk, in many or in none", async () => {
  assert.equal(await bodyOf(["abc"], 10), "abc");
  assert.equal(await bodyOf(["abc", "def", "g"], 10), "abcdefg");
  assert.equal(await bodyOf([], 10), "");
  assert.equal(await bodyOf(["abc"], 10, false), "nothing");
});

test("a body that is too large is handed over as nothing, one of the very size as it is", async () => {
  assert.equal(await bodyOf(["12345", "67890"], 10), "1234567890");
  assert.equal(await bodyOf(["12345", "678901", "2"], 10), undefined);
});
