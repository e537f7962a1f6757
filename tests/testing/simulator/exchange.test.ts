import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import type { Decision } from "../../../src/testing/simulator/chat-service.ts";
import type { Outcome } from "../../../src/testing/simulator/fault-outcomes.ts";
import { Exchange } from "../../../src/testing/simulator/exchange.ts";
import { StatisticsCounter } from "../../../src/testing/simulator/statistics.ts";
import { send, type Received } from "../../support/simulator.ts";

const reply = { status: 200, body: JSON.stringify({ text: "größer".repeat(50) }) };
const tokens = { promptTokens: 1, cachedTokens: 0, completionTokens: 1, reasoningTokens: 0 };

/** A server that meets every request with one decision. */
async function serving(context: TestContext, decision: Decision) {
  const statistics = new StatisticsCounter();
  const server = createServer((request, response) => {
    const exchange = new Exchange(request, response, statistics, statistics.arrived());
    request.resume();
    request.on("end", () => exchange.meet(decision, Buffer.from("body")));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // a server that listens on a port has such an address
  return {
    statistics,
    ask: async (signal?: AbortSignal): Promise<Received> =>
      await send({ url: `http://127.0.0.1:${port}` }, signal === undefined ? {} : { signal }),
  };
}

/** Settles when the counts show that every request is over. */
async function allOver(statistics: StatisticsCounter): Promise<void> {
  while (statistics.read().concurrency > 0) await new Promise((resolve) => setTimeout(resolve, 1));
}

test("a whole reply has its length, its ids and the headers of the decision, and is counted", async (context) => {
  const answered = { systemMessage: "s", tokens };
  const { ask, statistics } = await serving(context, {
    waitMs: 2,
    headers: ["x-ratelimit-limit-tokens", "9"],
    outcome: () => ({ kind: "reply", reply: { ...reply, headers: ["x-more", "1"] }, delivery: "whole", answered }),
  });
  const { status, headers, body } = await ask();
  assert.deepEqual([status, body], [200, reply.body]);
  assert.equal(headers["content-length"], String(Buffer.byteLength(reply.body)));
  assert.equal(headers["content-type"], "application/json");
  assert.deepEqual([headers["x-request-id"], headers["apim-request-id"]], ["simulator-1", "simulator-1"]);
  assert.deepEqual([headers["x-ratelimit-limit-tokens"], headers["x-more"]], ["9", "1"]);
  const { byStatus, concurrency, promptTokens } = statistics.read();
  assert.deepEqual([byStatus, concurrency, promptTokens], [{ 200: 1 }, 0, 1]);
});

test("a truncated body and a reset are errors to the client, counted as 200 and as none", async (context) => {
  const truncated = await serving(context, {
    waitMs: 0,
    headers: [],
    outcome: () => ({ kind: "reply", reply, delivery: "truncated" }),
  });
  await assert.rejects(truncated.ask());
  await allOver(truncated.statistics);
  assert.deepEqual(truncated.statistics.read().byStatus, { 200: 1 });
  const reset = await serving(context, { waitMs: 0, headers: [], outcome: () => ({ kind: "reset" }) });
  await assert.rejects(reset.ask(), { code: "ECONNRESET" });
  await allOver(reset.statistics);
  assert.deepEqual(reset.statistics.read().byStatus, { none: 1 });
});

test("a hang, a stalled body and a wait are under way until the client goes away", async (context) => {
  const cases: [Decision, Record<string, number>][] = [
    [{ waitMs: 0, headers: [], outcome: () => ({ kind: "hang" }) }, { none: 1 }],
    [{ waitMs: 0, headers: [], outcome: () => ({ kind: "reply", reply, delivery: "stalled" }) }, { 200: 1 }],
    [{ waitMs: 600_000, headers: [], outcome: () => assert.fail("served to nobody") }, { none: 1 }],
  ];
  for (const [decision, byStatus] of cases) {
    const { ask, statistics } = await serving(context, decision);
    const stop = new AbortController();
    const asking = ask(stop.signal);
    while (statistics.read().concurrency === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    stop.abort();
    await assert.rejects(asking);
    await allOver(statistics);
    assert.deepEqual(statistics.read().byStatus, byStatus);
  }
});

test("work for a client that has left keeps its place in the queue, and its answer is made for nobody", async (context) => {
  const works: (() => void)[] = [];
  const added = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const queue = {
    add: (_durationMs: number, onDone: () => void) => added[works.push(onDone) - 1]?.resolve(),
  };
  let answers = 0;
  const outcome = (): Outcome => {
    answers += 1;
    return { kind: "reply", reply, delivery: "whole" };
  };
  const { ask, statistics } = await serving(context, { waitMs: 20, queue, headers: [], outcome });
  const stop = new AbortController();
  const leaving = ask(stop.signal);
  await Promise.race([added[0]?.promise, leaving]);
  stop.abort();
  await assert.rejects(leaving);
  await allOver(statistics);
  const staying = ask();
  await Promise.race([added[1]?.promise, staying]);
  for (const onDone of works) onDone();
  assert.equal((await staying).status, 200);
  assert.equal(answers, 2);
  assert.deepEqual(statistics.read().byStatus, { none: 1, 200: 1 });
});

test("an outcome that throws is a 500 with the error's message", async (context) => {
  const outcome = (): never => {
    throw new TypeError("the script has a mistake");
  };
  for (const waitMs of [0, 1]) {
    const { ask } = await serving(context, { waitMs, headers: [], outcome });
    const { status, body } = await ask();
    const { error } = JSON.parse(body);
    assert.deepEqual([status, error.code], [500, "SimulatorFailed"]);
    assert.ok(error.message.endsWith("the script has a mistake"), error.message);
  }
});
