import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  ClassifierStep,
  type LLMProvider,
  type PlanEvent,
  Pipeline,
  type PlannedNumber,
  ProviderError,
  type RunnablePipeline,
  SummarizerStep,
  TransformStep,
} from "../../src/index.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { BilledService, journalOf, type Note, notes } from "../support/planned.ts";

interface Made {
  readonly rows?: readonly Note[] | (() => AsyncIterable<Note> | Iterable<Note>);
  readonly provider: LLMProvider;
  readonly journal: ReturnType<typeof journalOf> | "off";
  readonly sink?: MemorySink<{ readonly pk: string }, "id"> | undefined;
  /** The input of the second step; without one there is none. */
  readonly second?: "note" | "category" | undefined;
  readonly focus?: string;
  readonly onRowError?: "fail" | "skip";
  readonly budget?: { readonly perDay: number } | undefined;
}

const taxonomy = [
  { name: "Emergency", definition: "Urgent" },
  { name: "Routine", definition: "Planned" },
];

const memorySink = (): MemorySink<{ readonly pk: string }, "id"> => new MemorySink({ columnMap: { id: (s) => s.pk } });

function made({
  rows = notes(300),
  provider,
  journal,
  second,
  focus = "symptoms",
  onRowError = "skip",
  budget,
  sink = memorySink(),
}: Made): {
  readonly pipeline: RunnablePipeline;
  readonly written: () => number;
} {
  const source = new MemorySource<Note>({ rows, primaryKeyColumn: "id" });
  const options = {
    name: "planned",
    source,
    llmProvider: provider,
    journal,
    payloadLog: "off",
    onRowError,
    budget,
  } as const;
  const kind = new ClassifierStep({
    name: "kind",
    taxonomy,
    inputMap: { text: (s: { readonly raw: Note }) => s.raw.note },
    outputKey: "kind",
  });
  const first = new Pipeline<Note>(options).step(kind);
  if (second === undefined) return { pipeline: first.to(sink), written: () => sink.rows.length };
  const pipeline = first
    .step(
      new SummarizerStep({
        name: "summary",
        inputMap: {
          text: (s) => (second === "note" ? s.raw.note : s.processed.kind.category),
          focus: () => focus,
        },
        outputKey: "summary",
      }),
    )
    .to(sink);
  return { pipeline, written: () => sink.rows.length };
}

function covers({ low, high }: PlannedNumber, truth: number): void {
  assert.ok(low <= truth && truth <= (high ?? Infinity), `${truth} is not from ${low} to ${high}`);
}

const standard = ({ cost }: Awaited<ReturnType<RunnablePipeline["plan"]>>): PlannedNumber =>
  cost?.tiers.find(({ tier }) => tier === "standard") ?? assert.fail("there are prices");

test("a plan counts the first step's requests exactly, and its intervals hold what the run then takes", async (t) => {
  const service = new BilledService();
  const { pipeline, written } = made({
    rows: notes(3000, { duplicates: 30 }),
    provider: service.provider(),
    journal: journalOf(t),
    second: "note",
  });
  const plan = await pipeline.plan({ sample: 60, seed: 3 });
  const distinct = new Set(notes(3000, { duplicates: 30 }).map(({ note }) => note)).size;
  assert.deepEqual(plan.rows, { read: 3000, answered: 0, toAsk: 3000, failing: 0 });
  assert.deepEqual(plan.steps[0], { step: "kind", requests: distinct, rows: 3000, reusedAnswers: 0 });
  assert.equal(plan.sample.requests, 60);
  assert.equal(plan.sample.calls, service.calls);
  assert.equal(plan.sample.cost?.amount.toFixed(9), service.bill.toFixed(9));
  assert.equal(written(), 0);
  const before = { calls: service.calls, bill: service.bill, output: service.outputTokens };
  const report = await pipeline.run();
  assert.equal(report.successCount, 3000);
  assert.equal(service.calls, 2 * distinct, "what the sample asked is not asked again");
  covers(plan.run.calls, service.calls - before.calls);
  const output = plan.run.outputTokens.estimate / (service.outputTokens - before.output);
  assert.ok(Math.abs(output - 1) < 0.1, `${output}`);
  covers(standard(plan), service.bill - before.bill);
});

test("after a whole run a plan finds nothing to ask, and makes no call", async (t) => {
  const service = new BilledService();
  const { pipeline } = made({ provider: service.provider(), journal: journalOf(t), second: "note" });
  await pipeline.run();
  const before = service.calls;
  const plan = await pipeline.plan();
  assert.equal(service.calls, before);
  assert.deepEqual(plan.rows, { read: 300, answered: 300, toAsk: 0, failing: 0 });
  assert.deepEqual(plan.run.calls, { estimate: 0, low: 0, high: 0 });
  assert.equal(standard(plan).high, 0);
  assert.deepEqual(
    plan.steps.map(({ requests, reusedAnswers }) => [requests, reusedAnswers]),
    [
      [0, 300],
      [0, 300],
    ],
  );
});

test("where only the second step's prompt changed, only its requests are planned", async (t) => {
  const service = new BilledService();
  const journal = journalOf(t);
  const sink = memorySink();
  await made({ provider: service.provider(), journal, sink, second: "note" }).pipeline.run();
  const { pipeline } = made({ provider: service.provider(), journal, sink, second: "note", focus: "treatment" });
  const before = { calls: service.calls, bill: service.bill };
  const plan = await pipeline.plan({ sample: 40 });
  assert.deepEqual(
    plan.steps.map(({ step, requests }) => [step, requests]),
    [
      ["kind", 0],
      ["summary", 300],
    ],
  );
  assert.equal(service.calls - before.calls, 40);
  await pipeline.run();
  covers(plan.run.calls, service.calls - before.calls - 40);
  covers(standard(plan), service.bill - before.bill - (plan.sample.cost?.amount ?? 0));
});

test("requests of a later step that rows share are not planned for each row", async (t) => {
  const service = new BilledService();
  const { pipeline } = made({
    rows: notes(2000),
    provider: service.provider(),
    journal: journalOf(t),
    second: "category",
  });
  const plan = await pipeline.plan({ sample: 50 });
  assert.ok(plan.run.calls.estimate < 2050, `${plan.run.calls.estimate}`);
  const before = service.calls;
  await pipeline.run();
  covers(plan.run.calls, service.calls - before);
});

test("without calls, too, requests that rows share are counted once", async (t) => {
  const service = new BilledService();
  const { pipeline } = made({ provider: service.provider(), journal: journalOf(t), second: "category" });
  const { run } = await pipeline.plan({ calls: false });
  await pipeline.run();
  covers(run.calls, service.calls);
});

test("a sample as large as the table is the whole table: exact, and a run then pays nothing", async (t) => {
  const service = new BilledService();
  const { pipeline } = made({ rows: notes(40), provider: service.provider(), journal: journalOf(t), second: "note" });
  const plan = await pipeline.plan({ sample: 500 });
  assert.equal(plan.sample.requests, 40);
  assert.deepEqual(plan.run.calls, { estimate: 0, low: 0, high: 0 });
  assert.deepEqual([standard(plan).low, standard(plan).high], [0, 0]);
  const before = service.calls;
  await pipeline.run();
  assert.equal(service.calls, before);
});

test("without calls nothing is asked and nothing is saved; the interval holds the truth, with a history and without", async (t) => {
  const service = new BilledService();
  const journal = journalOf(t);
  const sink = memorySink();
  const { pipeline } = made({ rows: notes(400), provider: service.provider(), journal, sink, second: "note" });
  const plan = await pipeline.plan({ calls: false });
  assert.equal(service.calls, 0);
  assert.equal(plan.sample.runId, null);
  assert.ok(plan.notes.some(({ code }) => code === "TOKENS_FROM_SCHEMA"));
  await pipeline.run();
  covers(plan.run.calls, service.calls);
  covers(plan.run.inputTokens, service.inputTokens);
  covers(standard(plan), service.bill);
  const other = made({ rows: notes(400, { seed: 9 }), provider: service.provider(), journal, sink, second: "note" });
  const before = { calls: service.calls, bill: service.bill };
  const known = await other.pipeline.plan({ calls: false });
  assert.ok(known.notes.some(({ code }) => code === "TOKENS_FROM_HISTORY"));
  assert.ok(!known.notes.some(({ code }) => code === "TOKENS_FROM_SCHEMA"));
  assert.equal(service.calls, before.calls);
  await other.pipeline.run();
  covers(standard(known), service.bill - before.bill);
  const width = ({ low, high }: PlannedNumber): number => (high ?? Infinity) - low;
  assert.ok(width(standard(known)) < 0.5 * width(standard(plan)), "earlier runs tell more than the schema");
});

test("the sample says first what it may spend, and never spends more; the cap of the pipeline holds for it", async (t) => {
  const service = new BilledService();
  const events: PlanEvent[] = [];
  const { pipeline } = made({ provider: service.provider(), journal: journalOf(t), second: "note" });
  const onPlanEvent = (event: PlanEvent): void => {
    if (event.type === "sample-start") assert.equal(service.calls, 0);
    events.push(event);
  };
  const plan = await pipeline.plan({ onPlanEvent, maxCost: 0.005 });
  const start = events.find((event) => event.type === "sample-start") ?? assert.fail("it says so");
  assert.equal(start.atMost.cost?.amount, 0.005);
  assert.ok(service.bill <= 0.005);
  assert.ok(service.calls > 0);
  const codes = new Set(plan.notes.map(({ code }) => code));
  assert.ok(codes.has("SAMPLE_STOPPED"), "a sample that was cut short is a smaller sample");
  assert.ok(codes.has("COST_LIMIT_REACHED"));
  const before = service.bill;
  await pipeline.run();
  covers(standard(plan), service.bill - before);
});

test("a cap below one call is said in words, and nothing is asked", async (t) => {
  const service = new BilledService();
  const { pipeline } = made({ provider: service.provider(), journal: journalOf(t) });
  const plan = await pipeline.plan({ maxCost: 0.00001 });
  assert.equal(service.calls, 0);
  assert.ok(plan.notes.some(({ code }) => code === "BUDGET_BELOW_ONE_CALL"));
  assert.ok(standard(plan).estimate > 0);
});

test("the sample counts in the journal's budget, and stops at it", async (t) => {
  const service = new BilledService();
  const journal = journalOf(t);
  const budget = { perDay: 0.004 };
  const { pipeline } = made({ provider: service.provider(), journal, second: "note", budget });
  const plan = await pipeline.plan();
  assert.ok(service.calls > 0 && service.bill <= budget.perDay, `${service.bill}`);
  assert.ok(plan.notes.some(({ code }) => code === "SAMPLE_STOPPED"));
  const report = await pipeline.run();
  assert.equal(report.error?.code, "LIMIT_REACHED");
  assert.ok(service.bill <= budget.perDay, "the day's money is that of plan and run together");
});

test("without prices a plan is in tokens; maxCost is then rejected as in a run", async (t) => {
  const service = new BilledService();
  const { pipeline } = made({ provider: service.provider({ prices: undefined }), journal: journalOf(t) });
  const plan = await pipeline.plan({ sample: 20 });
  assert.equal(plan.cost, null);
  assert.equal(plan.sample.cost, null);
  assert.ok(plan.run.inputTokens.estimate > 0);
  assert.ok(plan.notes.some(({ code }) => code === "NO_PRICES"));
  await assert.rejects(pipeline.plan({ maxCost: 1 }), { code: "INVALID_OPTION" });
});

test("rows that fail before a call are counted; those that a sample shows to fail are planned", async (t) => {
  const service = new BilledService(1, ({ messages }) => {
    if (messages.at(-1)?.content.includes("7: ") === true) throw new ProviderError("row", "CONTENT_FILTER", "filtered");
  });
  const rows = notes(1000).map((row, index) => (index % 10 === 3 ? { ...row, note: "" } : row));
  const { pipeline } = made({ rows, provider: service.provider(), journal: journalOf(t), onRowError: "fail" });
  const plan = await pipeline.plan({ sample: 100 });
  assert.deepEqual(plan.rows, { read: 1000, answered: 0, toAsk: 900, failing: 100 });
  covers(plan.run.failedRows, 200);
  assert.ok(plan.run.failedRows.low >= 100);
  assert.ok(plan.notes.some(({ code }) => code === "STOPS_AT_FAILURE"));
});

test("a table that grows, and rows that go, while the plan is made do no harm", async (t) => {
  const service = new BilledService();
  let reads = 0;
  const rows = (): readonly Note[] => {
    reads += 1;
    const all = notes(200);
    return reads === 1
      ? all
      : [...notes(50, { seed: 3 }).map((row) => ({ ...row, id: `new ${row.id}` })), ...all.slice(60)];
  };
  const { pipeline } = made({ rows, provider: service.provider(), journal: journalOf(t) });
  const plan = await pipeline.plan({ sample: 80 });
  assert.equal(plan.rows.read, 200);
  assert.ok(plan.sample.rows < 80);
  assert.ok(plan.notes.some(({ code }) => code === "ROWS_GONE"));
  assert.ok(!service.asked.some((asked) => asked.includes("new ")));
});

test("a source whose rows can be read once only is planned without an answer, and says so", async (t) => {
  const service = new BilledService();
  const all = notes(50)[Symbol.iterator]();
  const once = { [Symbol.iterator]: () => all };
  const { pipeline } = made({ rows: () => once, provider: service.provider(), journal: journalOf(t) });
  const plan = await pipeline.plan({ sample: 10 });
  assert.equal(service.calls, 0);
  assert.equal(plan.rows.toAsk, 50);
  assert.deepEqual(plan.run.calls, { estimate: 50, low: 50, high: null }, "no estimate of 0 for what was not measured");
  assert.ok(plan.run.inputTokens.estimate > 1000);
  assert.equal(plan.cost, null);
  const codes = plan.notes.map(({ code }) => code);
  assert.ok(codes.includes("ROWS_GONE") && !codes.includes("NO_PRICES"), codes.join());
});

test("what onPlanEvent throws ends the plan, whenever it throws", async (t) => {
  for (const type of ["rows-looked-up", "sample-start", "sample-row"]) {
    const { pipeline } = made({ provider: new BilledService().provider(), journal: journalOf(t) });
    const error = new Error("of the caller");
    const onPlanEvent = (event: PlanEvent): void => {
      if (event.type === type) throw error;
    };
    await assert.rejects(pipeline.plan({ sample: 10, onPlanEvent }), error);
  }
});

test("a service that answers nothing ends the plan with its error, and a signal stops it", async (t) => {
  const service = new BilledService(1, () => {
    throw new ProviderError("run", "AUTHENTICATION_FAILED", "401", { status: 401 });
  });
  const { pipeline } = made({ provider: service.provider(), journal: journalOf(t) });
  await assert.rejects(pipeline.plan(), { code: "AUTHENTICATION_FAILED" });
  await assert.rejects(pipeline.plan({ signal: AbortSignal.abort() }), { code: "ABORTED" });
});

test("while a run holds the journal a plan is denied, and a plan holds it for itself", async (t) => {
  const journal = journalOf(t);
  const service = new BilledService();
  const provider = service.provider();
  const other = made({ provider, journal });
  let denials = 0;
  const complete: LLMProvider["complete"] = async (...given) => {
    if (denials === 0) await assert.rejects(other.pipeline.run(), { code: "JOURNAL_IN_USE" });
    denials += 1;
    return await provider.complete(...given);
  };
  await made({ provider: { ...provider, complete }, journal }).pipeline.plan({ sample: 5 });
  assert.ok(denials > 0);
});

test("without a journal each row is a request, and the run asks the sample again", async () => {
  const service = new BilledService();
  const { pipeline } = made({ rows: notes(200, { duplicates: 50 }), provider: service.provider(), journal: "off" });
  const plan = await pipeline.plan({ sample: 30 });
  assert.equal(plan.steps[0]?.requests, 200);
  assert.ok(plan.notes.some(({ code }) => code === "JOURNAL_OFF"));
  const before = { calls: service.calls, bill: service.bill };
  await pipeline.run();
  covers(plan.run.calls, service.calls - before.calls);
  covers(standard(plan), service.bill - before.bill);
});

test("a quota decides the time where it binds more than the concurrency", async (t) => {
  const service = new BilledService();
  const quota = { rpm: 60, tpm: 100_000_000 };
  const { pipeline } = made({ rows: notes(500), provider: service.provider({ quota }), journal: journalOf(t) });
  const plan = await pipeline.plan({ calls: false });
  assert.equal(plan.run.durationBy, "requests per minute");
  covers(plan.run.durationMs, 500_000);
});

test("steps without a model run, and rows to which a step does not apply need no call", async (t) => {
  const service = new BilledService();
  const source = new MemorySource<Note>({ rows: notes(100), primaryKeyColumn: "id" });
  const pipeline = new Pipeline<Note>({
    name: "planned",
    source,
    llmProvider: service.provider(),
    journal: journalOf(t),
    payloadLog: "off",
  })
    .step(new TransformStep({ name: "even", outputKey: "even", transform: (s) => Number(s.raw.id) % 2 === 0 }))
    .step(
      new SummarizerStep({
        name: "summary",
        when: (s): boolean => s.processed.even,
        inputMap: { text: (s) => s.raw.note },
        outputKey: "summary",
      }),
    )
    .to(new MemorySink({ columnMap: { id: (s) => s.pk } }));
  const plan = await pipeline.plan({ sample: 10 });
  assert.deepEqual(plan.rows, { read: 100, answered: 50, toAsk: 50, failing: 0 });
  assert.deepEqual(
    plan.steps.map(({ step, requests }) => [step, requests]),
    [["summary", 50]],
  );
});

test("the same seed asks the same sample, another one another", async (t: TestContext) => {
  const asked = async (seed: number): Promise<readonly string[]> => {
    const service = new BilledService();
    const { pipeline } = made({ provider: service.provider(), journal: journalOf(t) });
    await pipeline.plan({ sample: 10, seed });
    return service.asked.toSorted();
  };
  assert.deepEqual(await asked(4), await asked(4));
  assert.notDeepEqual(await asked(4), await asked(5));
});

test("options that are unknown or wrong are rejected before anything is read", async (t) => {
  const { pipeline } = made({ provider: new BilledService().provider(), journal: journalOf(t) });
  const wrong: readonly object[] = [{ sample: 0 }, { sample: 1.5 }, { samples: 3 }, { calls: "no" }, { seed: -1 }];
  for (const options of wrong) await assert.rejects(pipeline.plan(options), { code: "INVALID_OPTION" });
});
