import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ClassifierStep,
  type LLMProvider,
  Pipeline,
  type PlanEvent,
  ProviderError,
  type RunnablePipeline,
  SummarizerStep,
} from "../../src/index.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { BilledService, journalOf, notes, type Note, prices } from "../support/planned.ts";

type Context = Parameters<typeof journalOf>[0];

/** A classifier, and a summarizer with a provider of its own. */
function twoProviders(t: Context, first: LLMProvider, second: LLMProvider): RunnablePipeline {
  return new Pipeline<Note>({
    name: "two-providers",
    source: new MemorySource<Note>({ rows: notes(200), primaryKeyColumn: "id" }),
    llmProvider: first,
    journal: journalOf(t),
    payloadLog: "off",
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
    .step(
      new SummarizerStep({
        name: "summary",
        inputMap: { text: (s) => s.raw.note },
        outputKey: "summary",
        llmProvider: second,
      }),
    )
    .to(new MemorySink({ columnMap: { id: (s) => s.pk } }));
}

test("a later step whose provider is much dearer does not stop the sample: it is in the bound that is said first", async (t) => {
  const [cheap, dear] = [new BilledService(1), new BilledService(2)];
  const dearPrices = { ...prices, inputPerMillion: 20, cachedInputPerMillion: 20, outputPerMillion: 80 };
  const pipeline = twoProviders(t, cheap.provider(), dear.provider({ name: "dear", prices: dearPrices }));
  let start: Extract<PlanEvent, { readonly type: "sample-start" }> | undefined;
  const plan = await pipeline.plan({
    sample: 40,
    onPlanEvent: (event) => {
      if (event.type === "sample-start") start = event;
    },
  });
  assert.deepEqual([plan.sample.rows, dear.calls], [40, 40]);
  assert.ok(!plan.notes.some(({ code }) => code === "SAMPLE_STOPPED"), JSON.stringify(plan.notes));
  const spent = cheap.bill + (dear.inputTokens * 20 + dear.outputTokens * 80) / 1_000_000;
  assert.ok(spent <= (start?.atMost.cost?.amount ?? 0));
});

test("where providers ask for different tiers, the cost of the run is that of each call in its own", async (t) => {
  const [first, second] = [new BilledService(1), new BilledService(2)];
  const pipeline = twoProviders(t, first.provider(), second.provider({ name: "flexible", tier: "flex" }));
  const plan = await pipeline.plan({ sample: 60 });
  const { tiers } = plan.cost ?? assert.fail("there are prices");
  assert.deepEqual(
    tiers.filter(({ isChosen }) => isChosen).map(({ tier }) => tier),
    ["mixed"],
  );
  const before = first.bill + 0.5 * second.bill;
  await pipeline.run();
  const truth = first.bill + 0.5 * second.bill - before;
  const [mixed] = tiers;
  assert.ok(mixed !== undefined && mixed.low <= truth && truth <= (mixed.high ?? 0), `${truth}`);
});

test("a plan says that a run would reach maxCalls", async (t) => {
  const service = new BilledService();
  const pipeline = twoProviders(t, service.provider(), service.provider());
  const plan = await pipeline.plan({ sample: 20, maxCalls: 100 });
  assert.ok(plan.notes.some(({ code }) => code === "CALL_LIMIT_REACHED"));
  const enough = await pipeline.plan({ sample: 20, maxCalls: 1000 });
  assert.ok(!enough.notes.some(({ code }) => code === "CALL_LIMIT_REACHED"));
});

test("a plan says how many calls of its sample brought no answer, for the service may charge for them", async (t) => {
  let calls = 0;
  const service = new BilledService();
  const provider = service.provider();
  const complete: LLMProvider["complete"] = async (...given) => {
    calls += 1;
    if (calls === 5) throw new ProviderError("transient", "PROVIDER_UNREACHABLE", "reset");
    return await provider.complete(...given);
  };
  const plan = await twoProviders(t, { ...provider, complete }, service.provider()).plan({ sample: 20 });
  const { message } = plan.notes.find(({ code }) => code === "CALLS_UNANSWERED") ?? assert.fail("it says so");
  assert.match(message, /^1 of 41 calls /);
});
