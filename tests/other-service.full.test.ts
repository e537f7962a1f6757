// Full lane: pipelines of 300 rows over real HTTP, among faults and at a quota.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClassifierStep, Pipeline } from "../src/index.ts";
import { OpenAICompatibleProvider } from "../src/llm/providers/openai-compatible.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { type OtherServiceOptions, startOtherService } from "./support/other-service.ts";

const rowCount = 300;
const shares = { status500: 0.02, sporadic429: 0.03, reset: 0.01, badJSON: 0.15, outOfRange: 0.01 };
const inMilliseconds = (waitMs: number) => ({ "retry-after-ms": String(Math.ceil(waitMs)) });
const inSeconds = (waitMs: number) => ({ "retry-after": String(Math.ceil(waitMs / 1000)) });

const services: Readonly<Record<string, OtherServiceOptions>> = {
  "a fifth of the calls fails, 429s tell their wait": { latencyMs: 5, shares, told: inMilliseconds },
  "a fifth of the calls fails, 429s tell whole seconds": { latencyMs: 5, shares, told: inSeconds },
  "a fifth of the calls fails, 429s tell a wait of zero": {
    latencyMs: 5,
    shares,
    told: () => ({ "retry-after": "0" }),
  },
  "a fifth of the calls fails, 429s tell no wait": { latencyMs: 5, shares },
  "a bucket of 40 that tells the time to its next place": {
    latencyMs: 5,
    quota: { perSecond: 200, burst: 40 },
    told: inMilliseconds,
  },
  "a bucket of 40 that tells whole seconds": { latencyMs: 5, quota: { perSecond: 200, burst: 40 }, told: inSeconds },
  "a bucket of 40 that tells no wait": { latencyMs: 5, quota: { perSecond: 200, burst: 40 } },
  "a bucket of 40 among faults": { latencyMs: 5, shares, quota: { perSecond: 200, burst: 40 }, told: inMilliseconds },
  "a bucket of 40 among faults that tells no wait": { latencyMs: 5, shares, quota: { perSecond: 200, burst: 40 } },
};

for (const [name, options] of Object.entries(services)) {
  test(`no row is lost, and each is written once: ${name}`, async (context) => {
    const service = await startOtherService(options);
    context.after(service.close);
    const sink = new MemorySink({
      columnMap: { id: (s: { pk: string }) => s.pk },
    });
    const report = await new Pipeline({
      name: "other",
      source: new MemorySource<{ id: string; note: string }>({
        rows: Array.from({ length: rowCount }, (_, index) => ({ id: `r${index}`, note: `Note ${index} on a card.` })),
        primaryKeyColumn: "id",
      }),
      llmProvider: new OpenAICompatibleProvider({ baseURL: `${service.url}/v1`, model: "m", apiKey: "k" }),
      onRowError: "skip",
      payloadLog: "off",
      journal: "off",
      admission: { retryDelayMs: [5, 50], probeDelayMs: [5, 20] },
    })
      .step(
        new ClassifierStep({
          name: "kind",
          taxonomy: [
            { name: "Invoice", definition: "A bill for goods" },
            { name: "Letter", definition: "Any other writing" },
          ],
          inputMap: { text: (s) => s.raw.note },
          outputKey: "kind",
        }),
      )
      .to(sink)
      .run();
    assert.deepEqual([report.successCount, report.failuresByCode, report.error], [rowCount, {}, null]);
    const ids = sink.rows.map((row) => row["id"]);
    assert.deepEqual([ids.length, new Set(ids).size], [rowCount, rowCount]);
    assert.equal(service.ends.get("answered"), rowCount, "no good answer was asked for twice");
    assert.equal(service.paidTwice(), 0);
    const expected = options.shares === undefined ? [] : Object.keys(shares);
    for (const fault of expected)
      assert.ok(
        [...service.ends.keys()].some((end) => end === fault),
        `${fault} was served`,
      );
    // A machine that is slow enough does not reach the quota.
    assert.ok(options.quota !== undefined || !service.ends.has("quota429"));
  });
}
