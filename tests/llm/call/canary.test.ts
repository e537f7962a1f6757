import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { RunError } from "../../../src/errors/llm-etl-error.ts";
import { Canary } from "../../../src/llm/call/canary.ts";
import { ProviderError } from "../../../src/llm/provider-error.ts";

const badRequest = () => new ProviderError("row", "BAD_REQUEST", "400: unknown parameter", { status: 400 });

test("calls go one at a time until one has succeeded, then all at once", async () => {
  const canary = new Canary();
  const ends: (() => void)[] = [];
  const call = async (): Promise<number> => {
    await new Promise<void>((resolve) => ends.push(resolve));
    return 1;
  };
  const running = Promise.all(Array.from({ length: 5 }, async (_, index) => await canary.run(String(index), call)));
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
    Array.from({ length: 6 }, async (_, index) => await canary.run(String(index), call)),
  );
  assert.ok(results.every(({ status }) => status === "rejected"));
  assert.equal(peak, 1);
});

test("three rows whose request is refused, and none that is accepted, end the run", async () => {
  const canary = new Canary();
  const refuse = async (): Promise<never> => await Promise.reject(badRequest());
  await assert.rejects(canary.run("a", refuse), { scope: "row" });
  await assert.rejects(canary.run("a", refuse), { scope: "row" }, "the same row counts once");
  await assert.rejects(canary.run("b", refuse), { scope: "row" });
  await assert.rejects(canary.run("c", refuse), {
    scope: "run",
    code: "BAD_REQUEST",
    status: 400,
    message: /3 rows were refused/,
  });
});

test("once a request was accepted, a refused one is its row's own matter", async () => {
  const canary = new Canary();
  await canary.run("a", async () => 1);
  for (const pk of ["b", "c", "d", "e"]) {
    await assert.rejects(
      canary.run(pk, async () => await Promise.reject(badRequest())),
      { scope: "row" },
    );
  }
});

test("when the run has stopped, whoever waits and whoever comes is refused with the reason", async () => {
  const canary = new Canary();
  const reason = new RunError("FORBIDDEN", "403");
  const busy = canary.run("a", async () => await new Promise<never>(() => {}));
  const waiting = canary.run("b", async () => assert.fail("no call goes"));
  await setImmediate();
  canary.stop(reason);
  await assert.rejects(waiting, reason);
  await assert.rejects(
    canary.run("c", async () => assert.fail("no call goes")),
    reason,
  );
  busy.catch(() => undefined);
});
