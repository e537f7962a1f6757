import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { TransformStep } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import type { PipelineDefinition } from "../../src/pipeline/definition.ts";
import { resolvePipeline } from "../../src/pipeline/resolve.ts";
import { MemorySink, MemorySource } from "../../src/testing/index.ts";

const llmProvider = new MockProvider();
const source = new MemorySource<{ id: string }>({ rows: [{ id: "1" }], primaryKeyColumn: "id" });
const sink = new MemorySink({ columnMap: { id: (state: { pk: string }) => state.pk } });

function definition(
  options: Partial<PipelineDefinition["options"]> = {},
  steps: PipelineDefinition["steps"] = [],
): PipelineDefinition {
  return { options: { name: "visits", source, llmProvider, ...options }, steps, destinations: [{ sink }] };
}

test("a run's own option wins over the pipeline's, and that over the default", () => {
  const ofPipeline = { concurrency: 4, batchSize: 7, maxCost: 3, onRowError: "skip" } as const;
  const { settings } = resolvePipeline(definition(ofPipeline), { concurrency: 2, maxCost: undefined });
  assert.equal(settings.concurrency, 2);
  assert.equal(settings.batchSize, 7);
  assert.equal(settings.maxCost, 3, "an option that is undefined was not given");
  assert.equal(settings.onRowError, "skip");
  assert.equal(settings.flushIntervalMs, 2000);
});

test("the defaults are those that the options' documentation says", () => {
  const { settings, stores } = resolvePipeline(definition());
  const { redact, admission, ...values } = settings;
  assert.deepEqual(values, {
    ...{ onRowError: "fail", concurrency: 32, batchSize: 500, flushIntervalMs: 2000, gracePeriodMs: 20_000 },
    ...{ openTimeoutMs: 60_000, closeTimeoutMs: 30_000 },
    ...{ limit: Infinity, parameters: {}, maxRowErrors: Infinity, stopsAtFirstFailures: true },
    ...{
      maxCalls: Infinity,
      maxCost: Infinity,
      budget: undefined,
      fresh: false,
      full: false,
      replace: false,
      cache: true,
      countRows: false,
    },
  });
  assert.equal(redact("as it is"), "as it is");
  assert.equal(admission.maxTransportRetries, 5);
  assert.equal(stores.journal?.identity, resolve(".llm-etl/visits.db"));
  assert.equal(stores.payloadLog?.path, resolve("logs/llm_payloads.jsonl"));
  assert.equal(stores.payloadLog?.maxBytes, 1024 ** 3);
  assert.equal(stores.deadLetter, null, "it is kept only with onRowError: dead_letter");
});

test("what is off is null, and what a run says of failed rows decides on the dead letter file", () => {
  const off = resolvePipeline(definition({ journal: "off", payloadLog: "off" })).stores;
  assert.deepEqual(off, { journal: null, payloadLog: null, deadLetter: null });
  const { stores } = resolvePipeline(definition({ onRowError: "fail" }), { onRowError: "dead_letter" });
  assert.equal(stores.deadLetter?.identity, resolve("output/visits.failed_rows.jsonl"));
});

test("each step asks its own provider, else the pipeline's; a replay's provider stands for all", () => {
  const other = new MockProvider();
  const transform = (): null => null;
  const own = { ...new TransformStep({ name: "own", outputKey: "own", transform }), llmProvider: other };
  const plain = new TransformStep({ name: "plain", outputKey: "plain", transform });
  const { steps, providers } = resolvePipeline(definition({}, [own, plain, own]));
  assert.deepEqual(
    steps.map(({ provider }) => provider === other),
    [true, false, true],
  );
  assert.deepEqual(new Set(providers), new Set([other, llmProvider]));
  assert.equal(providers.length, 2, "each once");
  const replaced = resolvePipeline(definition({}, [own, plain]), {}, llmProvider);
  assert.deepEqual(replaced.providers, [llmProvider]);
});
