import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ClassifierStep, type LLMProvider, Pipeline, type RunOptions } from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { answer } from "../support/row-call.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Runs one row whose answers are never valid; `onCall` is told the number of each call. */
async function run(path: string, onCall: (call: number) => void, options: RunOptions = {}) {
  let calls = 0;
  const provider: LLMProvider = {
    name: "scripted",
    fingerprint: () => "scripted",
    complete: async () => {
      onCall((calls += 1));
      return { ...answer, text: `{"category": "none of them", "confidence": ${calls}}` };
    },
  };
  const report = await new Pipeline({
    name: "stopped",
    source: new MemorySource<{ id: string; note: string }>({
      rows: [{ id: "1", note: "a note" }],
      primaryKeyColumn: "id",
    }),
    llmProvider: provider,
    journal: new SQLiteJournal({ path }),
    payloadLog: "off",
    onRowError: "skip",
  })
    .step(
      new ClassifierStep({
        name: "kind",
        taxonomy: [
          { name: "Invoice", definition: "A bill" },
          { name: "Letter", definition: "Any other" },
        ],
        inputMap: { text: (s) => s.raw.note },
        outputKey: "kind",
        maxRetries: 1,
      }),
    )
    .to(new MemorySink({ columnMap: { id: (s: { pk: string }) => s.pk } }))
    .run(options);
  return { report, calls };
}

test("a row that fails while the run is stopped keeps its answers: the next run does not pay for them again", async () => {
  const path = join(temporaryFolder(), "journal.db");
  const stop = new AbortController();
  const onCall = (call: number): void => {
    if (call === 2) stop.abort(new Error("stop now"));
  };
  const first = await run(path, onCall, { signal: stop.signal, stopNowSignal: stop.signal });
  assert.equal(first.calls, 2);
  assert.equal(first.report.failureCount + first.report.skippedCount + first.report.pendingCount, 1);
  const second = await run(path, () => {});
  assert.equal(second.calls, 0, "both answers were in the journal");
  assert.equal(second.report.failuresByCode["INVALID_OUTPUT"], 1);
  const third = await run(path, () => {});
  assert.equal(third.calls, 2, "a row that failed by its answers is asked anew");
});
