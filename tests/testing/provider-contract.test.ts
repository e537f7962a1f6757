import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LLMProvider } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { providerContract } from "../../src/testing/provider-contract.ts";

describe("MockProvider keeps the contract of a provider", () => {
  for (const { name, check } of providerContract({ create: () => new MockProvider() })) test(name, check);
});

/** The names of the checks that a provider fails. */
async function failures(create: () => LLMProvider): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, check } of providerContract({ create })) await check().catch(() => failed.push(name));
  return failed;
}

test("a provider that breaks one promise fails the check that names it", async () => {
  const mock = new MockProvider();
  assert.deepEqual(await failures(() => ({ ...mock, name: "" })), ["it has a name"]);
  const deaf: LLMProvider = {
    ...mock,
    complete: async (request) => await mock.complete(request, new AbortController().signal),
  };
  assert.deepEqual(await failures(() => deaf), ["an aborted signal ends the call with a rejection"]);
  const free: LLMProvider = {
    ...mock,
    complete: async (request, signal) => ({ ...(await mock.complete(request, signal)), model: "" }),
  };
  assert.deepEqual(await failures(() => free), ["an answer names its model and counts its tokens"]);
  let count = 0;
  assert.deepEqual(await failures(() => ({ ...mock, fingerprint: () => String((count += 1)) })), [
    "the fingerprint is equal for equal settings, and is not blank",
  ]);
});
