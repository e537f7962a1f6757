import assert from "node:assert/strict";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { bareEndpoint, readLine, validateInput } from "../../../../src/testing/simulator/batch/input-lines.ts";
import { inputLine } from "../../../support/batch-client.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";

const folder = temporaryFolder();
const rules = { endpoint: "/v1/chat/completions", maxLines: 100, problemOfModel: () => undefined };

test("each line is read again from its place, whatever its length and its end", async () => {
  const line = fc.record({
    text: fc.string({ unit: "grapheme", maxLength: 20 }),
    times: fc.constantFrom(1, 1, 1, 4000),
    end: fc.constantFrom("\n", "\r\n", "\n\n", "\n \r\n"),
  });
  const run = async (lines: readonly { text: string; times: number; end: string }[]): Promise<void> => {
    const texts = lines.map(({ text, times }, index) =>
      inputLine(`${index}`, { model: "m", text: text.repeat(times) }),
    );
    const path = join(folder, "input.jsonl");
    await writeFile(path, texts.map((text, index) => text + (lines[index]?.end ?? "")).join(""));
    const handle = await open(path, "r");
    try {
      const validated = await validateInput(handle, rules);
      assert.deepEqual(validated.errors, []);
      const read: string[] = [];
      for (const place of validated.lines) read.push((await readLine(handle, place)).trimEnd());
      assert.deepEqual(read, texts);
    } finally {
      await handle.close();
    }
  };
  await fc.assert(fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 10 }), run), { numRuns: 60 });
});

test("an endpoint is one with its version and without", () => {
  const endpoints = ["/v1/chat/completions", "/chat/completions", "/v1", "/v1x/chat"];
  assert.deepEqual(endpoints.map(bareEndpoint), ["/chat/completions", "/chat/completions", "/v1", "/v1x/chat"]);
});
