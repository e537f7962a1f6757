import assert from "node:assert/strict";
import { test } from "node:test";
import { Pipeline, type RunEvent, TransformStep } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySink, MemorySource } from "../../src/testing/index.ts";

interface Note {
  readonly id: string;
}

/** The counts that a run told, with rows 1 to 5 and a source that counts like this. */
async function countsOf(
  options: { readonly limit?: number; readonly countRows?: boolean },
  count?: (context: { readonly signal: AbortSignal }) => Promise<number | undefined>,
): Promise<readonly number[]> {
  const source = new MemorySource<Note>({
    rows: [1, 2, 3, 4, 5].map((id) => ({ id: String(id) })),
    primaryKeyColumn: "id",
  });
  const counts: number[] = [];
  const { name, primaryKeyColumn, read } = source;
  const report = await new Pipeline({
    name: "counted",
    source: { name, primaryKeyColumn, read, count: count ?? source.count },
    llmProvider: new MockProvider(),
    journal: "off",
    payloadLog: "off",
  })
    .step(new TransformStep({ name: "same", outputKey: "same", transform: () => 1 }))
    .to(new MemorySink({ columnMap: { id: (s) => s.pk } }))
    .run({
      ...options,
      onEvent: (event: RunEvent) => {
        if (event.type === "source-count") counts.push(event.rowCount);
      },
    });
  assert.equal(report.successCount, options.limit ?? 5);
  return counts;
}

test("a run that is asked to count tells how many rows there are, up to its limit", async () => {
  assert.deepEqual(await countsOf({ countRows: true }), [5]);
  assert.deepEqual(await countsOf({ countRows: true, limit: 3 }), [3]);
  assert.deepEqual(await countsOf({}), []);
});

test("a source that can't count, or fails to, is no fault of the run", async () => {
  assert.deepEqual(await countsOf({ countRows: true }, () => Promise.resolve(undefined)), []);
  assert.deepEqual(await countsOf({ countRows: true }, () => Promise.reject(new Error("no"))), []);
});

test("a count that is none is not told", async () => {
  for (const count of [NaN, -5, 2.5])
    assert.deepEqual(await countsOf({ countRows: true }, () => Promise.resolve(count)), []);
});

test("a count that heeds nothing does not hold up the run's end", async () => {
  assert.deepEqual(await countsOf({ countRows: true }, () => new Promise(() => {})), []);
});

test("counting that has not ended with the last row is given up", async () => {
  let wasAborted = false;
  const slow = async ({ signal }: { readonly signal: AbortSignal }): Promise<number> => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    wasAborted = true;
    return 5;
  };
  assert.deepEqual(await countsOf({ countRows: true }, slow), []);
  assert.equal(wasAborted, true);
});
