import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { type TestContext, test } from "node:test";
import {
  ClassifierStep,
  type LLMProvider,
  Pipeline,
  type RunnablePipeline,
  type RunReport,
  SummarizerStep,
} from "../src/index.ts";
import type { BatchOptions } from "../src/batches/options.ts";
import { AzureOpenAIProvider, type AzureOpenAIProviderOptions } from "../src/llm/providers/azure-openai.ts";
import { OpenAICompatibleProvider } from "../src/llm/providers/openai-compatible.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import type { SimulatorBatchOptions } from "../src/testing/simulator/batch/options.ts";
import type { AzureOpenAISimulatorOptions } from "../src/testing/simulator/options.ts";
import { type AzureOpenAISimulator, startAzureOpenAISimulator } from "../src/testing/simulator/server.ts";
import { journalOf, type Note, notes, prices } from "./support/planned.ts";

interface Site {
  readonly simulator: AzureOpenAISimulator;
  readonly pipeline: RunnablePipeline;
  readonly rows: () => readonly string[];
  /** The same journal and target, with other settings of the provider or another focus. */
  readonly again: (changes: Changes) => RunnablePipeline;
}

interface Done {
  readonly pk: string;
  readonly processed: { readonly summary: { readonly text: string } };
}

interface Changes {
  readonly provider?: Partial<AzureOpenAIProviderOptions>;
  readonly focus?: string;
  readonly journal?: "off";
}

const quick: BatchOptions = { wait: true, batchPollMs: 20, batchMinRequests: 1, batchLookAgainMs: 50 };

async function site(
  t: TestContext,
  batch: SimulatorBatchOptions = {},
  options: AzureOpenAISimulatorOptions = {},
  count = 120,
): Promise<Site> {
  const simulator = await startAzureOpenAISimulator({
    prices,
    seed: 5,
    batch: { stepMs: 10, faultsOf: { "d-batch": "d" }, ...batch },
    ...options,
  });
  t.after(simulator.close);
  const journal = journalOf(t);
  const sink = new MemorySink({
    mergeKeys: ["id"],
    columnMap: {
      id: (s: Done) => s.pk,
      text: (s: Done) => s.processed.summary.text,
    },
  });
  const made = ({ provider = {}, focus = "symptoms", journal: off }: Changes): RunnablePipeline =>
    new Pipeline<Note>({
      name: "batched",
      source: new MemorySource<Note>({ rows: notes(count), primaryKeyColumn: "id" }),
      llmProvider: new AzureOpenAIProvider({
        endpoint: simulator.url,
        apiKey: "any",
        deployment: "d",
        prices,
        batch: { deployment: "d-batch", sameModel: true },
        ...provider,
      }),
      journal: off ?? journal,
      payloadLog: "off",
      onRowError: "skip",
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
          inputMap: { text: (s) => s.raw.note, focus: () => focus },
          outputKey: "summary",
        }),
      )
      .to(sink);
  return {
    simulator,
    pipeline: made({}),
    rows: () => sink.rows.map((row) => JSON.stringify(row)).toSorted(),
    again: made,
  };
}

const completed = (report: RunReport, count = 120): void => {
  assert.deepEqual([report.error?.message, report.exitCode, report.successCount], [undefined, 0, count]);
};

/** Each request was worked on and billed once, or so often as its batches did not bring it back. */
function submittedOnce({ simulator }: Site): void {
  for (const [id, { submitted, billed }] of Object.entries(simulator.batches().lines)) {
    assert.deepEqual([submitted, billed], [1, 1], id);
  }
}

test("two steps with invalid answers, failed lines and a batch that expires half done write the rows that single calls write, at half the price", async (t) => {
  const faults = { invalidJSON: 0.05 };
  const online = await site(t, {}, { faults });
  completed(await online.pipeline.run());
  const batched = await site(
    t,
    { failedLines: 0.02, expires: ({ id }) => id.endsWith("_1") || id.endsWith("-1") },
    { faults },
  );
  const report = await batched.pipeline.runBatches(quick);
  completed(report);
  assert.deepEqual(batched.rows(), online.rows());
  const [half, whole] = [batched.simulator.bill().cost ?? 0, online.simulator.bill().cost ?? 0];
  assert.ok(half <= 0.55 * whole, `${half} of ${whole}`);
  assert.equal(report.cost?.amount.toFixed(9), half.toFixed(9), "the report tells the bill");
  assert.deepEqual(Object.keys(batched.simulator.bill().byTier), ["batch"]);
});

test("online, then by batches, then in Flex: no request after the first run", async (t) => {
  const { simulator, pipeline, again } = await site(t);
  completed(await pipeline.run());
  const { requests } = simulator.bill();
  completed(await pipeline.runBatches(quick));
  completed(await again({ provider: { tier: "flex" } }).run());
  assert.equal(simulator.bill().requests, requests);
  assert.deepEqual(simulator.batches().batches, []);
});

test("without wait it ends with 3 when all is handed over; the same call collects and goes on, and other runs leave alone what is in a batch", async (t) => {
  const here = await site(t, { stepMs: 150 });
  const { pipeline, simulator } = here;
  const batch = { ...quick, wait: false };
  const first = await pipeline.runBatches(batch);
  assert.deepEqual([first.exitCode, first.error?.code, first.pendingCount], [3, "WAITING_FOR_BATCH", 120]);
  assert.deepEqual([first.error?.facts["batches"], first.error?.facts["requests"]], [1, 120]);
  const meanwhile = await pipeline.run();
  assert.deepEqual([meanwhile.exitCode, meanwhile.pendingCount, meanwhile.usage.calls], [3, 120, 0]);
  const plan = await pipeline.plan();
  assert.equal(plan.sample.calls, 0);
  let report = first;
  let runs = 0;
  while (report.exitCode === 3 && runs < 50) {
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
    });
    report = await pipeline.runBatches(batch);
    runs += 1;
  }
  completed(report);
  submittedOnce(here);
  assert.equal(simulator.bill().requests, 240);
});

test("a prompt that is changed between handing over and collecting: paid answers are kept, new ones are asked", async (t) => {
  const { pipeline, again, simulator } = await site(t, { stepMs: 100 });
  const batch = { ...quick, wait: false };
  await pipeline.runBatches(batch); // the first step
  await new Promise((resolve) => {
    setTimeout(resolve, 500);
  });
  await pipeline.runBatches(batch); // the second
  const changed = again({ focus: "treatment" });
  completed(await changed.runBatches(quick));
  assert.equal(simulator.bill().requests, 360);
  completed(await pipeline.runBatches(quick));
  assert.equal(simulator.bill().requests, 360, "what was paid for is in the journal");
});

const services: Readonly<Record<string, SimulatorBatchOptions>> = {
  "status words in capitals, file ids that are empty, an error file that is always there": {
    statusCase: "capitals",
    noFileId: "empty",
    errorFile: "always",
  },
  "fields that are missing, and no counts": { noFileId: "missing", requestCounts: false, listOmits: ["metadata"] },
  "no room for the first creates": { rejectedCreates: 2 },
  "no room, as the validation says": { rejectedCreates: 1, tokenLimitAt: "validation" },
  "lines that come twice, and lines that nobody sent": { doubledLines: 0.1, unknownLines: 0.1 },
  "replies that get lost and torn, 429s and 500s": {
    faults: { rateLimit: 0.1, serverError: 0.1, lostAnswer: 0.05, tornDownload: 0.1 },
  },
};

for (const [name, batch] of Object.entries(services)) {
  test(`a service with ${name}: nothing is submitted twice, and every row is written`, async (t) => {
    const here = await site(t, batch);
    completed(await here.pipeline.runBatches(quick));
    submittedOnce(here);
  });
}

test("lines that are in no file are asked again, at most twice, or online, or fail their rows, as it was wanted", async (t) => {
  const again = await site(t, { missingLines: 0.02 }); // three times in a row is one in 100,000
  completed(await again.pipeline.runBatches(quick));
  const online = await site(t, { missingLines: 0.1 });
  completed(await online.pipeline.runBatches({ ...quick, onBatchMiss: "online" }));
  assert.ok((online.simulator.bill().byTier["default"]?.requests ?? 0) > 0);
  const fail = await site(t, { missingLines: 0.1 });
  const report = await fail.pipeline.runBatches({ ...quick, onBatchMiss: "fail" });
  assert.equal(report.exitCode, 1);
  assert.ok(report.skippedCount > 0 && report.skippedCount + report.successCount === 120);
  const never = await site(t, { missingLines: 1 }, {}, 20);
  const nothing = await never.pipeline.runBatches(quick);
  assert.deepEqual([nothing.skippedCount, nothing.pendingCount], [20, 0]);
  assert.deepEqual(
    new Set(Object.values(never.simulator.batches().lines).map(({ submitted }) => submitted)),
    new Set([3]),
  );
});

test("rows that the content filter rejects fail as online, and are no miss", async (t) => {
  const faults = { contentFilterPrompt: 0.05, refusal: 0.03 };
  const online = await site(t, {}, { faults });
  const expected = await online.pipeline.run();
  const batched = await site(t, {}, { faults });
  const report = await batched.pipeline.runBatches(quick);
  assert.ok(expected.skippedCount > 0);
  assert.deepEqual(report.failuresByCode, expected.failuresByCode);
  assert.deepEqual(batched.rows(), online.rows());
});

test("fewer requests than are worth a batch are asked online", async (t) => {
  const { pipeline, simulator } = await site(t, {}, {}, 20);
  completed(await pipeline.runBatches({ ...quick, batchMinRequests: 100 }), 20);
  assert.deepEqual(Object.keys(simulator.bill().byTier), ["default"]);
  assert.deepEqual(simulator.batches().batches, []);
});

test("what does not fit under maxCost beside what is in batches is not submitted; the bill stays below, over all waves", async (t) => {
  const { pipeline, simulator } = await site(t);
  const maxCost = 0.02;
  const report = await pipeline.runBatches({ ...quick, maxCost });
  assert.deepEqual([report.exitCode, report.error?.code], [3, "LIMIT_REACHED"]);
  const submitted = Object.keys(simulator.batches().lines).length;
  assert.ok(submitted > 0 && submitted < 240, `${submitted}`);
  assert.ok((simulator.bill().cost ?? 0) <= maxCost);
  completed(await pipeline.runBatches(quick));
});

test("a key that may not list: what may have been submitted is held, and not submitted again", async (t) => {
  let creates = 0;
  const here = await site(t, {
    mayList: false,
    fault: ({ operation }) => (operation === "create" && (creates += 1) === 1 ? "lostAnswer" : undefined),
  });
  const report = await here.pipeline.runBatches({ ...quick, wait: false });
  assert.deepEqual([report.exitCode, report.pendingCount], [3, 120]);
  const second = await here.pipeline.runBatches({ ...quick, wait: false });
  assert.equal(second.pendingCount, 120);
  assert.equal(here.simulator.batches().batches.length, 1);
});

test("a service that takes no file, and one that is away while it is asked: exit code 3, no row fails, and the next command goes on", async (t) => {
  const full = await site(t, { maxFileBytes: 1000 });
  const rejected = await full.pipeline.runBatches(quick);
  assert.deepEqual([rejected.exitCode, rejected.pendingCount, rejected.skippedCount], [3, 120, 0]);
  assert.notEqual(rejected.error?.code, "WAITING_FOR_BATCH");
  full.simulator.update({ batch: { stepMs: 10, faultsOf: { "d-batch": "d" } } });
  completed(await full.pipeline.runBatches(quick));
  submittedOnce(full);
  const away = await site(t, {}, {}, 20);
  await away.pipeline.runBatches({ ...quick, wait: false });
  away.simulator.update({ outage: "reset" });
  const meanwhile = await away.pipeline.runBatches({ ...quick, wait: false });
  assert.deepEqual([meanwhile.exitCode, meanwhile.error?.code, meanwhile.pendingCount], [3, "WAITING_FOR_BATCH", 20]);
  away.simulator.update({ outage: false });
  completed(await away.pipeline.runBatches(quick), 20);
  submittedOnce(away);
});

test("a signal ends the wait with exit code 3; nothing is lost", async (t) => {
  const here = await site(t, { stepMs: 2000 }, {}, 20);
  const stopping = new AbortController();
  setTimeout(() => stopping.abort(), 400);
  const report = await here.pipeline.runBatches({ ...quick, signal: stopping.signal });
  assert.deepEqual([report.exitCode, report.error?.code], [3, "WAITING_FOR_BATCH"]);
  here.simulator.update({ batch: { stepMs: 10, faultsOf: { "d-batch": "d" } } });
  completed(await here.pipeline.runBatches(quick), 20);
  submittedOnce(here);
});

test("files of at most so many requests; nothing of them is left here or at the service", async (t) => {
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith("llm-etl-batch-")).length;
  const { again, simulator } = await site(t);
  const batch = { deployment: "d-batch", sameModel: true, maxRequests: 50 } as const;
  completed(await again({ provider: { batch } }).runBatches(quick));
  const sizes = simulator.batches().batches.map(({ lines }) => lines);
  assert.deepEqual([Math.max(...sizes), sizes.reduce((sum, size) => sum + size, 0)], [50, 240]);
  assert.ok(simulator.batches().files.every(({ isDeleted }) => isDeleted));
  assert.equal(readdirSync(tmpdir()).filter((name) => name.startsWith("llm-etl-batch-")).length, before);
});

test("the dated API of Azure OpenAI, and a service with OpenAI's API", async (t) => {
  const dated = await site(t, {}, {}, 20);
  completed(await dated.again({ provider: { apiVersion: "2025-03-01-preview" } }).runBatches(quick), 20);
  const { simulator } = await site(t, {}, {}, 20);
  const llmProvider: LLMProvider = new OpenAICompatibleProvider({
    baseURL: `${simulator.url}/v1`,
    model: "m",
    apiKey: "any",
    prices,
    batch: true,
  });
  const sink = new MemorySink({ columnMap: { id: (s: { readonly pk: string }) => s.pk } });
  const pipeline = new Pipeline<Note>({
    name: "open",
    source: new MemorySource<Note>({ rows: notes(20), primaryKeyColumn: "id" }),
    llmProvider,
    journal: journalOf(t),
    payloadLog: "off",
  })
    .step(new SummarizerStep({ name: "summary", inputMap: { text: (s) => s.raw.note }, outputKey: "summary" }))
    .to(sink);
  completed(await pipeline.runBatches(quick), 20);
  assert.deepEqual(Object.keys(simulator.bill().byTier), ["batch"]);
});

test("what is in batches is listed, and cancelled: what was answered by then is collected, the rest is asked again", async (t) => {
  const here = await site(t, { stepMs: (step) => (step === "in_progress" ? Infinity : 5) });
  const { pipeline, simulator } = here;
  await pipeline.runBatches({ ...quick, wait: false });
  const [open, ...others] = await pipeline.openBatches();
  assert.deepEqual([open?.state, open?.requests, open?.deployment, others.length], ["submitted", 120, "d-batch", 0]);
  assert.ok((open?.worstCase ?? 0) > 0);
  assert.equal((await pipeline.cancelBatches()).length, 1);
  simulator.update({ batch: { stepMs: 10, faultsOf: { "d-batch": "d" } } });
  completed(await pipeline.runBatches(quick));
  assert.deepEqual(await pipeline.openBatches(), []);
  assert.ok(Object.values(simulator.batches().lines).every(({ billed }) => billed === 1));
});

test("without a journal, without a Batch API, and with wrong options it is rejected before anything is read", async (t) => {
  const { pipeline, again } = await site(t, {}, {}, 5);
  const rejected = { code: "INVALID_OPTION" };
  await assert.rejects(again({ journal: "off" }).runBatches(), rejected);
  await assert.rejects(again({ provider: { batch: undefined } }).runBatches(), rejected);
  await assert.rejects(pipeline.runBatches({ cache: false }), rejected);
  await assert.rejects(pipeline.runBatches({ batchPollMs: 0 }), rejected);
  assert.throws(() => again({ provider: { batch: { deployment: "x", sameModel: false } as never } }), rejected);
  rmSync(`${tmpdir()}/none`, { force: true });
});
