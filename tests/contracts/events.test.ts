import assert from "node:assert/strict";
import { test } from "node:test";
import { Pipeline, type RunEvent, SummarizerStep } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";

const marker = "SECRET-CONTENT";

async function eventsOf(responses: string[]): Promise<{ events: RunEvent[]; report: unknown }> {
  const events: RunEvent[] = [];
  const report = await new Pipeline({
    name: "events",
    source: new MemorySource<{ id: string; note: string }>({
      rows: [1, 2, 3, 4].map((id) => ({ id: `r${id}`, note: `${marker} ${id}. It was mild.` })),
      primaryKeyColumn: "id",
    }),
    llmProvider: new MockProvider({ responses }),
    payloadLog: "off",
    journal: "off",
    batchSize: 2,
  })
    .step(new SummarizerStep({ name: "summary", outputKey: "summary", inputMap: { text: (s) => s.raw.note } }))
    .to(new MemorySink({ columnMap: { id: (s) => s.pk, text: (s) => s.processed.summary.text } }))
    .run({ onEvent: (event) => void events.push(event) });
  return { events, report };
}

test("events tell of the run's ends, and of every row, call, re-ask and batch", async () => {
  const { events, report } = await eventsOf(["not JSON"]);
  const count = (type: RunEvent["type"]): number => events.filter((event) => event.type === type).length;
  assert.equal(events[0]?.type, "run-start");
  assert.deepEqual(events.at(-1), { type: "run-end", report });
  assert.deepEqual(
    ["row-start", "row-end", "call-end", "re-ask", "batch-end"].map((type) => count(type as RunEvent["type"])),
    [4, 4, 5, 1, 2],
  );
});

test("a call's event says which step asked about which row, what it cost and which retry it was", async () => {
  const { events } = await eventsOf(["not JSON"]);
  const calls = events.filter((event) => event.type === "call-end" && event.pk === "r1");
  assert.deepEqual(
    calls.map((event) => event.type === "call-end" && event.retryCount),
    [0, 1],
  );
  for (const event of calls) assert.ok(event.type === "call-end" && event.step === "summary" && event.inputTokens > 0);
});

test("events hold no content of rows or answers", async () => {
  const { events } = await eventsOf([`{"${marker}": 1}`]);
  assert.ok(events.length > 10);
  assert.ok(!JSON.stringify(events).includes(marker));
});
