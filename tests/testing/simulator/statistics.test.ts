import assert from "node:assert/strict";
import { test } from "node:test";
import { StatisticsCounter } from "../../../src/testing/simulator/statistics.ts";

const tokens = { promptTokens: 10, cachedTokens: 4, completionTokens: 3, reasoningTokens: 1 };

test("it counts what happens, and a request that is answered twice as repeated", () => {
  const counter = new StatisticsCounter();
  counter.connected();
  assert.deepEqual([counter.arrived(), counter.arrived()], [1, 2]);
  counter.left();
  counter.arrived();
  counter.ended(200);
  counter.ended(429);
  counter.ended("none");
  counter.faulted("hang");
  counter.rateLimited();
  counter.flexShortage();
  for (const [body, system] of [
    ["a", "s"],
    ["b", "s"],
    ["a", "t"],
    ["a", "s"],
  ] as const)
    counter.answered(Buffer.from(body), system, tokens);
  assert.deepEqual(counter.read(), {
    requests: 3,
    byStatus: { 200: 1, 429: 1, none: 1 },
    byFault: { hang: 1 },
    rateLimitedRequests: 1,
    flexShortages: 1,
    promptTokens: 40,
    cachedTokens: 16,
    completionTokens: 12,
    reasoningTokens: 4,
    concurrency: 2,
    peakConcurrency: 2,
    repeatedRequests: 2,
    systemMessages: 2,
    connections: 1,
  });
});

test("a reset forgets all but the requests under way", () => {
  const counter = new StatisticsCounter();
  counter.arrived();
  counter.arrived();
  counter.left();
  counter.flexShortage();
  counter.answered(Buffer.from("a"), "s", tokens);
  counter.reset();
  const { requests, concurrency, peakConcurrency, promptTokens, systemMessages, flexShortages } = counter.read();
  assert.deepEqual([requests, concurrency, peakConcurrency, promptTokens, systemMessages], [1, 1, 1, 0, 0]);
  assert.equal(flexShortages, 0);
  counter.answered(Buffer.from("a"), "s", tokens);
  assert.equal(counter.read().repeatedRequests, 0);
});

test("different system messages are counted to an end", () => {
  const counter = new StatisticsCounter();
  for (let index = 0; index < 10_050; index += 1) counter.answered(Buffer.from("a"), String(index), tokens);
  assert.equal(counter.read().systemMessages, 10_000);
});
