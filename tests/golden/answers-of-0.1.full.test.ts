// Full lane: 124 pipelines with a journal each take seconds of CPU.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import type { StoredAnswer } from "../../src/contracts/journal.ts";
import type { Answer } from "./case.ts";
import { converse } from "./conversation.ts";
import { goldenFiles, readGolden, textOf } from "./golden-file.ts";
import { contentOf } from "./services.ts";

/** By golden file and case, the keys of version 0.1 where a later version has others. */
const keys: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = JSON.parse(
  readFileSync(new URL("keys-0.1.json", import.meta.url), "utf8"),
);

const usage = { inputTokens: 100, cachedTokens: 0, outputTokens: 20, reasoningTokens: 0 };

/** An answer as version 0.1 stored it: without its fence where no schema was strict. */
function storedAnswer(answer: Answer | undefined, isStrict: boolean): StoredAnswer {
  const { content, isCutOff } = contentOf(answer);
  const text = isStrict ? content : (/^```json\n(\{[^\n]*\})\n```$/.exec(content)?.[1] ?? content);
  return { text, finishReason: isCutOff ? "length" : "stop", model: "golden-model", usage, runId: "earlier" };
}

for (const [path, cases] of Object.entries(keys)) {
  const file = goldenFiles.find((one) => one.path === path);

  describe(path.replace(".json", ""), () => {
    for (const [name, known] of Object.entries(cases)) {
      test(`${name}: the answers that version 0.1 stored are found, and nothing is asked`, async () => {
        const golden = file?.cases.find((one) => one.name === name);
        assert.ok(file !== undefined && golden !== undefined);
        const isStrict = !/json_object|none|2024-02-01/.test(path);
        const answers = known.map((key, index) => [key, storedAnswer(golden.answers[index], isStrict)] as const);
        const { conversation } = await converse(file.service, golden, new Map(answers));
        assert.deepEqual(conversation.requests, []);
        assert.equal(textOf(conversation.written), textOf(readGolden(file).cases[name]?.written));
      });
    }
  });
}
