import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Pipeline, type RunReport, type SinkState } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { temporaryDatabase } from "../support/sqlite.ts";

/** Runs ten rows, one a batch, and deletes a file after the third. */
async function runWhile(
  t: TestContext,
  deleted: (files: { target: string; journal: string }) => string,
): Promise<RunReport> {
  const target = temporaryDatabase(t, "CREATE TABLE t (id TEXT PRIMARY KEY) STRICT");
  const journal = join(target, "..", "journal.db");
  const rows = Array.from({ length: 10 }, (_, index) => ({ id: String(index) }));
  let batches = 0;
  return await new Pipeline<{ id: string }>({
    name: "p",
    source: new MemorySource({ rows, primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    journalPath: journal,
    payloadLog: "off",
    concurrency: 1,
    batchSize: 1,
  })
    .to(
      new SQLiteSink({
        databasePath: target,
        targetTable: "t",
        mergeKeys: ["id"],
        columnMap: { id: (s: SinkState<{ id: string }>) => s.pk },
      }),
    )
    .run({
      onEvent: ({ type }) => {
        if (type === "batch-end" && (batches += 1) === 3) rmSync(deleted({ target, journal }));
      },
    });
}

test("a target that is deleted during a run stops it: nothing more counts as written", async (t) => {
  const { status, exitCode, error, successCount, pendingCount } = await runWhile(t, ({ target }) => target);
  assert.deepEqual(
    [status, exitCode, error?.code, error?.facts["problem"]],
    ["failed", 3, "SINK_FAILED", "was deleted"],
  );
  assert.equal(successCount, 3);
  assert.ok(pendingCount > 0);
});

test("so does a journal that is deleted", async (t) => {
  const { status, exitCode, error } = await runWhile(t, ({ journal }) => journal);
  assert.deepEqual(
    [status, exitCode, error?.code, error?.facts["problem"]],
    ["failed", 3, "JOURNAL_FAILED", "was deleted"],
  );
});
