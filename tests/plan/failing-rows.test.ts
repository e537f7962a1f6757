import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ClassifierStep,
  type LLMRequest,
  Pipeline,
  type PlannedNumber,
  ProviderError,
  type RunnablePipeline,
  SummarizerStep,
} from "../../src/index.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { BilledService, journalOf, type Note, notes } from "../support/planned.ts";

type Context = Parameters<typeof journalOf>[0];

/** A classifier and a summarizer over notes. */
function twoSteps(t: Context, rows: readonly Note[], service: BilledService): RunnablePipeline {
  return new Pipeline<Note>({
    name: "failing",
    source: new MemorySource<Note>({ rows, primaryKeyColumn: "id" }),
    llmProvider: service.provider(),
    journal: journalOf(t),
    payloadLog: "off",
    onRowError: "skip",
    maxRowErrors: "never",
  })
    .step(
      new ClassifierStep({
        name: "kind",
        taxonomy: [
          { name: "Emergency", definition: "Urgent" },
          { name: "Routine", definition: "Planned" },
        ],
        inputMap: { text: (s) => s.raw.note },
        outputKey: "kind",
      }),
    )
    .step(new SummarizerStep({ name: "summary", inputMap: { text: (s) => s.raw.note }, outputKey: "summary" }))
    .to(new MemorySink({ columnMap: { id: (s) => s.pk } }));
}

function covers({ low, high }: PlannedNumber, truth: number): void {
  assert.ok(low <= truth && truth <= (high ?? Infinity), `${truth} is not from ${low} to ${high}`);
}

/** Rejects each request about one of the rows. */
const filtering = (isFiltered: (row: number) => boolean) => (request: LLMRequest) => {
  const row = /Note (?<row>\d+):/.exec(request.messages.at(-1)?.content ?? "")?.groups?.["row"];
  if (row !== undefined && isFiltered(Number(row))) throw new ProviderError("row", "CONTENT_FILTER", "filtered");
};

test("rows of the sample that failed are asked again by a run, and are planned so", async (t) => {
  const service = new BilledService(
    1,
    filtering((row) => row % 10 === 3),
  );
  const pipeline = twoSteps(t, notes(60), service);
  const plan = await pipeline.plan({ sample: 100 });
  assert.equal(plan.sample.calls, 6 + 2 * 54);
  assert.deepEqual(plan.run.calls.estimate, 6, "the journal has the answers of all others");
  const before = service.calls;
  const report = await pipeline.run();
  assert.equal(service.calls - before, 6);
  covers(plan.run.calls, 6);
  covers(plan.run.failedRows, report.failureCount + report.skippedCount);
});

test("rows of the sample that failed may be answered the next time, and then go on to the steps behind", async (t) => {
  let isOut = true;
  const service = new BilledService(1, (request) => {
    if (isOut) filtering((row) => row % 10 === 3)(request);
  });
  const pipeline = twoSteps(t, notes(60), service);
  const plan = await pipeline.plan({ sample: 100 });
  const before = { calls: service.calls, bill: service.bill };
  isOut = false;
  const report = await pipeline.run();
  assert.equal(report.failureCount + report.skippedCount, 0);
  covers(plan.run.calls, service.calls - before.calls);
  covers(plan.run.failedRows, 0);
  covers(plan.cost?.tiers[0] ?? assert.fail("there are prices"), service.bill - before.bill);
});

test("a failure that is too rare for the sample ends rows at the first step: the interval reaches below the calls of the others", async (t) => {
  const service = new BilledService(
    1,
    filtering((row) => row % 100 === 0),
  );
  const pipeline = twoSteps(t, notes(1000), service);
  const plan = await pipeline.plan({ sample: 30, seed: 2 });
  assert.equal(plan.sample.calls, 60, "the sample met none of the ten");
  const before = { calls: service.calls, bill: service.bill };
  await pipeline.run();
  assert.equal(service.calls - before.calls, 2 * 970 - 10);
  covers(plan.run.calls, service.calls - before.calls);
  covers(plan.cost?.tiers[0] ?? assert.fail("there are prices"), service.bill - before.bill);
});

test(
  "a sample of thousands of requests is added up in seconds, and may be as large as the table",
  { timeout: 60_000 },
  async (t) => {
    const rows = Array.from({ length: 4000 }, (_, index) => ({ id: `${index}`, note: `Note ${index}: fever` }));
    const service = new BilledService();
    const plan = await twoSteps(t, rows, service).plan({ sample: 200_000 });
    assert.equal(plan.sample.requests, 4000);
    assert.deepEqual(plan.run.calls, { estimate: 0, low: 0, high: 0 });
  },
);
