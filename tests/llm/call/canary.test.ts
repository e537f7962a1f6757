import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { RunError } from "../../../src/errors/llm-etl-error.ts";
import { Canary } from "../../../src/llm/call/canary.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import type { LLMResponse } from "../../../src/contracts/provider.ts";
import type { RowCall } from "../../../src/llm/call/row-call.ts";
import { answer, rowCall } from "../../support/row-call.ts";

/** Makes a call for that row behind the canary. */
const run = async (canary: Canary, pk: string, next: () => Promise<LLMResponse>): Promise<LLMResponse> =>
  await canary.layer(next)(rowCall({ pk }));

test("calls go one at a time until one has succeeded, then all at once", async () => {
  const canary = new Canary();
  const ends: (() => void)[] = [];
  const call = async (): Promise<LLMResponse> => {
    await new Promise<void>((resolve) => ends.push(resolve));
    return answer;
  };
  const running = Promise.all(Array.from({ length: 5 }, async (_, index) => await run(canary, String(index), call)));
  await setImmediate();
  assert.equal(ends.length, 1);
  ends[0]?.();
  await setImmediate();
  assert.equal(ends.length, 5);
  for (const end of ends) end();
  assert.equal((await running).length, 5);
});

test("after a row's own failure the next row is the canary, and after three all go", async () => {
  const canary = new Canary();
  let inFlight = 0;
  const together: number[] = [];
  const call = async (): Promise<never> => {
    together.push((inFlight += 1));
    await setImmediate();
    inFlight -= 1;
    throw new ProviderError("row", "CONTENT_FILTER", "filtered");
  };
  const results = await Promise.allSettled(
    Array.from({ length: 6 }, async (_, index) => await run(canary, String(index), call)),
  );
  assert.ok(results.every(({ status }) => status === "rejected"));
  assert.deepEqual(together, [1, 1, 1, 1, 2, 3]);
});

test("a call that gets no answer lets one other row's go beside it: who is alone with it is then seen", async () => {
  const canary = new Canary();
  const going: RowCall[] = [];
  const layered = canary.layer(async (call) => {
    going.push(call);
    return await new Promise<never>(() => {});
  });
  for (const pk of ["a", "b", "c"]) void layered(rowCall({ pk }));
  await setImmediate();
  for (let attempt = 1; attempt <= 2; attempt += 1) going[0]?.onAgain?.();
  await setImmediate();
  assert.equal(going.length, 1);
  for (let attempt = 3; attempt <= 9; attempt += 1) going[0]?.onAgain?.();
  await setImmediate();
  assert.deepEqual(
    going.map(({ pk }) => pk),
    ["a", "b"],
  );
});

test("when the run has stopped, whoever waits and whoever comes is turned away with the reason", async () => {
  const canary = new Canary();
  const reason = new RunError("FORBIDDEN", "403");
  const busy = run(canary, "a", async () => await new Promise<never>(() => {}));
  const waiting = run(canary, "b", async () => assert.fail("no call goes"));
  await setImmediate();
  canary.stop(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(
    run(canary, "c", async () => assert.fail("no call goes")),
    reason,
  );
  busy.catch(() => undefined);
});
