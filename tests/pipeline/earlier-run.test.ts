import assert from "node:assert/strict";
import { test } from "node:test";
import { Pipeline, type RunEvent, SummarizerStep } from "../../src/index.ts";
import { RestProjection } from "../../src/pipeline/rest-of-run.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { BilledService, journalOf, type Note, notes } from "../support/planned.ts";

const countOf = (events: readonly RunEvent[]) => events.find((event) => event.type === "source-count");

test("a resumed run says what the run before did, and its rest is projected from it before the first call", async (t) => {
  const service = new BilledService();
  const pipeline = new Pipeline<Note>({
    name: "resumed",
    source: new MemorySource<Note>({ rows: notes(600), primaryKeyColumn: "id" }),
    llmProvider: service.provider(),
    journal: journalOf(t),
    payloadLog: "off",
    concurrency: 4,
    batchSize: 10,
  })
    .step(new SummarizerStep({ name: "summary", inputMap: { text: (s) => s.raw.note }, outputKey: "summary" }))
    .to(new MemorySink({ columnMap: { id: (s) => s.pk }, mergeKeys: ["id"] }));
  const first: RunEvent[] = [];
  const stopped = await pipeline.run({ countRows: true, maxCalls: 200, onEvent: (event) => void first.push(event) });
  assert.equal(stopped.error?.code, "LIMIT_REACHED");
  assert.deepEqual(countOf(first), { type: "source-count", rowCount: 600, earlier: null });
  const billed = service.bill;
  const projection = new RestProjection();
  const second: RunEvent[] = [];
  let projected: number | undefined;
  const onEvent = (event: RunEvent): void => {
    second.push(event);
    if (event.type === "call-start") projected ??= projection.rest?.cost?.estimate;
    projection.add(event);
  };
  const resumed = await pipeline.run({ countRows: true, onEvent });
  assert.equal(resumed.successCount, 600);
  const { earlier } = countOf(second) ?? assert.fail();
  assert.equal(earlier?.doneRows, stopped.successCount);
  assert.ok((earlier?.costPerRow ?? 0) > 0 && (earlier?.rowMs ?? 0) > 0);
  const truth = service.bill - billed;
  assert.ok(Math.abs((projected ?? 0) / truth - 1) < 0.3, `${projected} of ${truth}`);
});
