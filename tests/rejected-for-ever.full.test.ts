// Full lane: runs of five seconds, over real HTTP.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Pipeline } from "../src/index.ts";
import { OpenAICompatibleProvider } from "../src/llm/providers/openai-compatible.ts";
import { ClassifierStep } from "../src/steps/classifier.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { completion, json, startChatServer } from "./support/chat-server.ts";

const answer = json(
  200,
  completion({ content: JSON.stringify({ reasoning: "r", category: "Card", confidence: 0.9 }) }),
);
const kind = {
  taxonomy: [
    { name: "Card", definition: "a card" },
    { name: "Other", definition: "all else" },
  ],
};

/** When calls arrived, in milliseconds since the first one, in a run of so many rows in flight that is aborted after a while. */
async function arrivals(answeredCount: number, headers: Record<string, string>): Promise<readonly number[]> {
  const server = await startChatServer();
  const times: number[] = [];
  server.reply = (response, request) => {
    times.push(performance.now());
    const rejection = json(429, { error: { message: "slow down", code: "429" } }, headers);
    (times.length <= answeredCount ? answer : rejection)(response, request);
  };
  const rows = Array.from({ length: 40 }, (_, index) => ({ id: `r${index}`, note: `Note ${index} on a card.` }));
  const report = await new Pipeline({
    name: "rejected",
    source: new MemorySource<{ id: string; note: string }>({ rows, primaryKeyColumn: "id" }),
    llmProvider: new OpenAICompatibleProvider({ baseURL: `${server.origin}/v1`, model: "m", apiKey: "k" }),
    concurrency: 12,
    payloadLog: "off",
    journal: "off",
  })
    .step(new ClassifierStep({ name: "kind", ...kind, inputMap: { text: (s) => s.raw.note }, outputKey: "kind" }))
    .to(new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk } }))
    .run({ signal: AbortSignal.timeout(5500), gracePeriodMs: 10 });
  const { successCount, failureCount } = report;
  assert.deepEqual([successCount, failureCount], [answeredCount, 0], "no row fails of a 429");
  const [first = 0] = times;
  return times.map((time) => time - first);
}

/** The most calls in any second, from the third one on. */
function mostInASecond(times: readonly number[]): number {
  const late = times.filter((time) => time >= 2000);
  return Math.max(0, ...late.map((start) => late.filter((time) => time >= start && time < start + 1000).length));
}

describe(
  "a service that rejects all calls for ever gets ten a second at most, from the third second on",
  { concurrency: true },
  () => {
    const waits = {
      "retry-after: 0": { "retry-after": "0" },
      "a date long past": { "retry-after": "Wed, 21 Oct 2015 07:28:00 GMT" },
      "no wait": {},
    };
    for (const [name, headers] of Object.entries(waits)) {
      for (const answeredCount of [0, 1, 30]) {
        test(`${name}, after ${answeredCount} answers`, async () => {
          const times = await arrivals(answeredCount, headers);
          assert.ok(mostInASecond(times) <= 10, times.map(Math.round).join(" "));
          assert.ok(times.length > answeredCount + 4, "it is tried again");
          assert.ok(times.length <= answeredCount + 60, `${times.length} calls`);
        });
      }
    }
  },
);
