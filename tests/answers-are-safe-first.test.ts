import assert from "node:assert/strict";
import { existsSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { RunEvent } from "../src/contracts/events.ts";
import type { RunReport } from "../src/contracts/report.ts";
import { Pipeline, type PipelineOptions, SummarizerStep } from "../src/index.ts";
import { MockProvider } from "../src/llm/providers/mock.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { readLines } from "./support/run-rows.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

interface Note {
  readonly id: string;
  readonly note: string;
}

const folder = temporaryFolder();
const rows: readonly Note[] = [{ id: "1", note: "The first note. It is long." }];

interface Setup {
  readonly options?: Partial<PipelineOptions<Note>>;
  readonly onEvent?: (event: RunEvent) => void;
  readonly fresh?: boolean;
}

/** Runs one row in a folder; with which calls the provider was asked. */
async function run(
  place: string,
  { options, onEvent, fresh = false }: Setup = {},
): Promise<{ report: RunReport; callCount: number }> {
  let callCount = 0;
  const responses = (): undefined => void (callCount += 1);
  const report = await new Pipeline<Note>({
    name: "notes",
    source: new MemorySource<Note>({ rows, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider({ responses }),
    journalPath: join(place, "journal.db"),
    payloadLogPath: join(place, "log.jsonl"),
    ...options,
  })
    .step(new SummarizerStep({ name: "short", inputMap: { text: (s) => s.raw.note }, outputKey: "short" }))
    .to(new MemorySink({ columnMap: { id: (s) => s.pk, text: (s) => s.processed.short.text }, mergeKeys: ["id"] }))
    .run({ onEvent, fresh });
  return { report, callCount };
}

const failures: readonly (Setup & { readonly name: string; readonly code: string; readonly needs?: string })[] = [
  {
    name: "a payload log on a full disk",
    code: "PAYLOAD_LOG_FAILED",
    needs: "/dev/full",
    options: { payloadLogPath: "/dev/full" },
  },
  {
    name: "a redact that throws",
    code: "PAYLOAD_LOG_FAILED",
    options: {
      redact: () => {
        throw new Error("a bug");
      },
    },
  },
  {
    name: "an onEvent that throws at the end of the call",
    code: "EVENT_HANDLER_FAILED",
    onEvent: ({ type }) => {
      if (type === "call-end") throw new Error("a bug");
    },
  },
];

for (const { name, code, needs, ...setup } of failures) {
  const skip = needs !== undefined && !existsSync(needs);
  test(`${name} stops the run, and the answer at which it did is not paid for again`, { skip }, async () => {
    const place = mkdtempSync(join(folder, "place-"));
    const stopped = await run(place, setup);
    assert.deepEqual([stopped.report.error?.code, stopped.callCount], [code, 1]);
    assert.equal(stopped.report.usage.calls, 1);
    const next = await run(place, { fresh: true }); // the row itself may have been written in the grace period
    assert.deepEqual([next.report.status, next.report.successCount, next.callCount], ["completed", 1, 0]);
    assert.equal(next.report.usage.reusedAnswers, 1);
  });
}

test("each attempt has its line in the payload log, in order, before its row has ended", async () => {
  const place = mkdtempSync(join(folder, "place-"));
  let linesAtEnd: readonly unknown[] = [];
  const provider = new MockProvider({
    responses: [new Error("broken"), "no JSON", { text: "{", finishReason: "length" }],
  });
  const options = { llmProvider: provider, onRowError: "skip" as const };
  const setup: Setup = {
    options,
    onEvent: ({ type }) => {
      if (type === "row-end") linesAtEnd = readLines(join(place, "log.jsonl")).map((line) => line["retry_count"]);
    },
  };
  await run(place, setup);
  assert.deepEqual(linesAtEnd, [0]);
  const second = await run(place, setup);
  assert.deepEqual(linesAtEnd, [0, 0, 1, 2]);
  const { calls, reAsks } = second.report.usage;
  assert.deepEqual([second.report.successCount, calls, reAsks], [1, 3, 1]);
});
