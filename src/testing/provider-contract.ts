import assert from "node:assert/strict";
import { z } from "zod";
import { toStrictSchema } from "../validation/strict-schema.ts";
import type { LLMProvider, LLMRequest, LLMResponse } from "../contracts/provider.ts";
import type { ContractCheck } from "./base.ts";

export interface ProviderContractOptions {
  /** Makes a provider that answers any request within its schema. */
  readonly create: () => LLMProvider | Promise<LLMProvider>;
  /** Makes a provider with the same settings, as far as they can change an answer. @default `create` */
  readonly twin?: () => LLMProvider | Promise<LLMProvider>;
}

const Answer = z.object({ colour: z.enum(["red", "blue"]), count: z.int().min(1).max(9), note: z.string().nullable() });

/**
 * The promises of every provider, as checks for any test runner.
 *
 * @example for (const { name, check } of providerContract({ create: () => new MyProvider() })) test(name, check);
 */
export function providerContract({ create, twin = create }: ProviderContractOptions): readonly ContractCheck[] {
  return [
    {
      name: "it has a name",
      check: async () => assert.ok((await create()).name.trim() !== ""),
    },
    {
      name: "an answer fits the schema that was asked for",
      check: async () => {
        const { text, finishReason } = await run(await create());
        assert.equal(finishReason, "stop");
        Answer.parse(JSON.parse(text));
      },
    },
    {
      name: "an answer names its model and counts its tokens",
      check: async () => {
        const { model, usage } = await run(await create());
        assert.ok(model.trim() !== "");
        assert.ok(usage.inputTokens > 0 && usage.outputTokens > 0);
        assert.ok(usage.cachedTokens <= usage.inputTokens && usage.reasoningTokens <= usage.outputTokens);
      },
    },
    {
      name: "calls do not disturb each other",
      check: async () => {
        const provider = await create();
        const answers = await Promise.all(Array.from({ length: 8 }, async () => await run(provider)));
        for (const { text } of answers) Answer.parse(JSON.parse(text));
      },
    },
    {
      name: "a request is not changed",
      check: async () => {
        const request = requestFor("The rose was red.");
        const before = JSON.stringify(request);
        await (await create()).complete(request, new AbortController().signal);
        assert.equal(JSON.stringify(request), before);
      },
    },
    {
      name: "an aborted signal ends the call with a rejection",
      check: async () => {
        await assert.rejects(run(await create(), AbortSignal.abort(new Error("stopped"))));
      },
    },
    {
      name: "the fingerprint is equal for equal settings, and is not blank",
      check: async () => {
        const [one, other] = [await create(), await twin()];
        assert.equal(one.fingerprint(), other.fingerprint());
        assert.ok(one.fingerprint().trim() !== "");
      },
    },
  ];
}

async function run(provider: LLMProvider, signal: AbortSignal = new AbortController().signal): Promise<LLMResponse> {
  return await provider.complete(requestFor("The sky over the bay was blue."), signal);
}

function requestFor(text: string): LLMRequest {
  return {
    messages: [
      { role: "system", content: 'Say the colour.\n- "red": like a rose\n- "blue": like the sky' },
      { role: "user", content: `<text>\n${text}\n</text>` },
    ],
    schema: { name: "colour", json: toStrictSchema(Answer).json },
    temperature: 0,
    maxOutputTokens: 200,
    cacheKey: "contract",
  };
}
