import assert from "node:assert/strict";
import { test } from "node:test";
import type { LLMProvider, LLMResponse } from "../../../src/contracts/provider.ts";
import { resolveAdmission } from "../../../src/llm/limits/options.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import { failsWith } from "../../support/error-facts.ts";
import { clientWith } from "../../support/llm-client.ts";
import { answer } from "../../support/row-call.ts";
import { VirtualTime } from "../../support/virtual-time.ts";

const minuteMs = 60_000;

/** A client with the default limits, and a provider whose attempts fail as long as it is down. */
function service(random: () => number = () => 0.5) {
  const time = new VirtualTime({ nowMs: 0, random });
  const client = clientWith({ time, admission: resolveAdmission({ stallTimeoutMs: minuteMs }) });
  const attempts: [row: string | undefined, atMs: number][] = [];
  const state = { isDown: false };
  const provider: LLMProvider = {
    name: "scripted",
    fingerprint: () => "scripted",
    complete: async ({ messages: [first] }) => {
      attempts.push([first?.content, time.now()]);
      if (state.isDown) throw new ProviderError("transient", "NETWORK_ERROR", "reset");
      return answer;
    },
  };
  const ask = async (pk: string): Promise<LLMResponse> => {
    const { signal } = new AbortController();
    const messages = [{ role: "user", content: pk }] as const;
    const schema = { name: "out", json: { type: "object" } } as const;
    const prompt = { messages, schema, temperature: 0, maxOutputTokens: 100, promptHash: "abc" };
    return await client.conversation({ step: "s", pk, provider, signal }).ask(prompt, 0);
  };
  return { ask, attempts, state, time };
}

test("a success ends a stall: failures before and after it are not one long stall, however far apart", async () => {
  const { ask, attempts, state, time } = service();
  await ask("first");
  for (const row of ["morning", "noon", "evening"]) {
    state.isDown = true;
    const asking = ask(row);
    await time.pass(0);
    state.isDown = false;
    await time.pass(minuteMs / 2);
    assert.equal(await asking, answer, row);
    await time.pass(10 * minuteMs);
  }
  assert.deepEqual(
    attempts.map(([row]) => row),
    ["first", "morning", "morning", "noon", "noon", "evening", "evening"],
  );
});

test("without a success the run ends when the stall timeout has passed, and not before", async () => {
  const { ask, attempts, state, time } = service();
  await ask("first");
  state.isDown = true;
  const rows = Array.from({ length: 12 }, (_, row) => ask(`${row}`));
  let endedCount = 0;
  const ended = Promise.allSettled(rows).finally(() => (endedCount += 1));
  await time.pass(minuteMs - 1);
  assert.equal(endedCount, 0);
  assert.ok(attempts.length > rows.length);
  await time.pass(1);
  for (const one of await ended) {
    assert.ok(one.status === "rejected");
    failsWith("STALLED")(one.reason);
  }
});

test("rows that fail at one moment are not tried again at one moment", async () => {
  let draw = 0;
  const { ask, attempts, state, time } = service(() => (draw += 0.1) % 1);
  await ask("first");
  state.isDown = true;
  const rows = Array.from({ length: 6 }, async (_, row) => await ask(`${row}`));
  await time.pass(0);
  state.isDown = false;
  await time.pass(minuteMs);
  assert.deepEqual(
    await Promise.all(rows),
    Array.from({ length: 6 }, () => answer),
  );
  const retriedAt = attempts.slice(-6).map(([, atMs]) => atMs);
  assert.equal(new Set(retriedAt).size, 6, `${retriedAt.join(", ")} ms`);
});
