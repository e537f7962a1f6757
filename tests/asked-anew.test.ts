import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Pipeline, ProviderError, type RunOptions, type RunReport, SummarizerStep } from "../src/index.ts";
import { MockProvider } from "../src/llm/providers/mock.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

interface Note {
  readonly id: string;
  readonly note: string;
}

const folder = temporaryFolder();
const rows: readonly Note[] = [
  { id: "1", note: "The first note." },
  { id: "2", note: "The second note." },
];

type Script = () => ProviderError | string | undefined;

/** The script of the model; a function of one text, by which the provider is known. */
let script: Script | undefined;

async function run(place: string, responses: Script | undefined, options: RunOptions): Promise<RunReport> {
  script = responses;
  return await new Pipeline<Note>({
    name: "notes",
    source: new MemorySource<Note>({ rows, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider({ responses: () => script?.() }),
    journalPath: join(place, "journal.db"),
    payloadLog: "off",
    onRowError: "skip",
  })
    .step(new SummarizerStep({ name: "short", inputMap: { text: (s) => s.raw.note }, outputKey: "short" }))
    .to(new MemorySink({ columnMap: { id: (s) => s.pk, text: (s) => s.processed.short.text }, mergeKeys: ["id"] }))
    .run({ fresh: true, ...options });
}

const faults: readonly { readonly name: string; readonly responses: Script }[] = [
  { name: "the service declines", responses: () => new ProviderError("row", "CONTENT_FILTER", "declined") },
  { name: "no answer is valid", responses: () => '{"wrong":1}' },
];

for (const { name, responses } of faults) {
  test(`where a run with cache: false fails because ${name}, the answers of earlier runs stay`, async () => {
    const place = mkdtempSync(join(folder, "place "));
    assert.equal((await run(place, undefined, {})).successCount, 2);
    const anew = await run(place, responses, { cache: false });
    assert.deepEqual([anew.successCount, anew.skippedCount], [0, 2]);
    const after = await run(place, undefined, {});
    assert.deepEqual([after.successCount, after.usage.calls, after.usage.reusedAnswers], [2, 0, 2]);
  });
}

test("where it succeeds, its answers take the place of the earlier ones", async () => {
  const place = mkdtempSync(join(folder, "place "));
  await run(place, undefined, {});
  assert.equal((await run(place, undefined, { cache: false })).usage.calls, 2);
  assert.equal((await run(place, undefined, {})).usage.calls, 0);
});

test("where it is stopped in the middle of a row, the row's earlier answer stays", async () => {
  const place = mkdtempSync(join(folder, "place "));
  await run(place, undefined, {});
  const stop = new AbortController();
  let callCount = 0;
  const invalidThenStopped = (): ProviderError | string => {
    callCount += 1;
    if (callCount <= 2) return '{"wrong":1}';
    stop.abort();
    return new ProviderError("transient", "SERVER_ERROR", "busy");
  };
  const anew = await run(place, invalidThenStopped, { cache: false, gracePeriodMs: 0, signal: stop.signal });
  assert.deepEqual([anew.status, anew.successCount], ["aborted", 0]);
  const after = await run(place, undefined, {});
  assert.deepEqual([after.successCount, after.usage.calls, after.usage.reusedAnswers], [2, 0, 2]);
});
