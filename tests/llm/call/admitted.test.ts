import assert from "node:assert/strict";
import { test } from "node:test";
import { admitted } from "../../../src/llm/call/admitted.ts";
import type { Admission } from "../../../src/llm/limits/admission.ts";
import { answer, rowCall } from "../../support/row-call.ts";

test("a call counts against a quota with its prompt and the whole limit that is sent, the tokens for reasoning too", async () => {
  const sizes: number[] = [];
  const admission: Pick<Admission, "enter"> = {
    enter: async ({ tokens }) => {
      sizes.push(tokens);
      return await Promise.resolve({ end: () => ({ type: "done" }) });
    },
  };
  const layer = admitted(admission)(async () => await Promise.resolve(answer));
  const { request, provider } = rowCall();
  const reasoning = {
    ...provider,
    fingerprint: provider.fingerprint,
    complete: provider.complete,
    maxReasoningTokens: 1000,
  };
  await layer(rowCall());
  await layer(rowCall({ provider: reasoning }));
  await layer(rowCall({ provider: reasoning, request: { ...request, maxOutputTokens: 200, lengthFactor: 2 } }));
  const prompt = 2; // "a row"
  assert.deepEqual(sizes, [prompt + 100, prompt + 1100, prompt + 2200]);
});
