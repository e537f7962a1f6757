import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { RunError } from "../../../src/errors/llm-etl-error.ts";
import { Canary } from "../../../src/llm/call/canary.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";
import type { LLMResponse } from "../../../src/contracts/provider.ts";
import { answer, rowCall } from "../../support/row-call.ts";

const badRequest = () => new ProviderError("row", "BAD_REQUEST", "400: unknown parameter", { status: 400 });

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

test("after a row's own failure the next row is the canary", async () => {
  const canary = new Canary();
  let inFlight = 0;
  let peak = 0;
  const call = async (): Promise<never> => {
    peak = Math.max(peak, (inFlight += 1));
    await setImmediate();
    inFlight -= 1;
    throw new ProviderError("row", "CONTENT_FILTER", "filtered");
  };
  const results = await Promise.allSettled(
    Array.from({ length: 6 }, async (_, index) => await run(canary, String(index), call)),
  );
  assert.ok(results.every(({ status }) => status === "rejected"));
  assert.equal(peak, 1);
});

test("three rows whose request is rejected, and none that is accepted, end the run", async () => {
  const canary = new Canary();
  const reject = async (): Promise<never> => await Promise.reject(badRequest());
  await assert.rejects(run(canary, "a", reject), { scope: "row" });
  await assert.rejects(run(canary, "a", reject), { scope: "row" }, "the same row counts once");
  await assert.rejects(run(canary, "b", reject), { scope: "row" });
  await assert.rejects(run(canary, "c", reject), {
    scope: "run",
    code: "BAD_REQUEST",
    status: 400,
    message: /3 rows were rejected/,
  });
});

test("once a request was accepted, a rejected one is its row's own matter", async () => {
  const canary = new Canary();
  await run(canary, "a", async () => answer);
  for (const pk of ["b", "c", "d", "e"]) {
    await assert.rejects(
      run(canary, pk, async () => await Promise.reject(badRequest())),
      { scope: "row" },
    );
  }
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
