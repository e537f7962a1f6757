import assert from "node:assert/strict";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { formPartsOf } from "../../../../src/testing/simulator/batch/form-parts.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

const folder = temporaryFolder();

async function partsOf(body: Buffer, contentType: string | undefined) {
  const path = join(folder, "form");
  await writeFile(path, body);
  const handle = await open(path, "r");
  try {
    const parts = await formPartsOf(handle, contentType);
    return parts?.map(({ name, fileName, start, bytes }) => ({
      name,
      fileName,
      content: body.subarray(start, start + bytes),
    }));
  } finally {
    await handle.close();
  }
}

test("any bytes come back as they were sent, wherever the chunks of the file end", async () => {
  const content = fc.tuple(
    fc.uint8Array({ maxLength: 50 }),
    fc.integer({ min: 0, max: 3 }),
    fc.integer({ min: -300, max: 300 }),
  );
  const run = async ([bytes, chunks, shift]: [Uint8Array, number, number]): Promise<void> => {
    const padding = Buffer.alloc(Math.max(0, chunks * 64 * 1024 + shift), "-\r\n");
    const sent = Buffer.concat([bytes, padding, bytes]);
    const form = new FormData();
    form.set("purpose", "batch");
    form.set("file", new Blob([new Uint8Array(sent)]), "in ü.jsonl");
    const encoded = new Response(form);
    const parts = await partsOf(Buffer.from(await encoded.arrayBuffer()), encoded.headers.get("content-type") ?? "");
    assert.deepEqual(
      parts?.map(({ name }) => name),
      ["purpose", "file"],
    );
    assert.ok(parts[1]?.content.equals(sent));
  };
  await fc.assert(fc.asyncProperty(content, run), { numRuns: 40 });
});

test("a form that breaks off, or is none, has no parts", async () => {
  const type = 'multipart/form-data; charset=utf-8; boundary="b b"';
  const whole = '--b b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b b--\r\n';
  const [part] = (await partsOf(Buffer.from(whole), type)) ?? [];
  assert.deepEqual([part?.name, part?.fileName, part?.content.toString()], ["file", "f", "x"]);
  for (const [body, contentType] of [
    [whole.slice(0, -4), type],
    [whole.slice(0, -14), type],
    [whole, "application/json"],
    [whole, undefined],
    [whole.replace("\r\n\r\n", ""), type],
    [whole.replace(' name="file";', ""), type],
    ["", type],
  ] as const) {
    assert.equal(await partsOf(Buffer.from(body), contentType), undefined, body);
  }
});
