import assert from "node:assert/strict";
import { rmSync, symlinkSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Pipeline, type RunReport, type SinkState } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { SQLiteSink } from "../../src/sinks/sqlite.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { temporaryDatabase } from "../support/sqlite.ts";

interface Files {
  readonly target: string;
  /** A link to the target. */
  readonly link: string;
  readonly journal: string;
}

/** Runs ten rows, one a batch, to the target by its link, and harms a file after one, the third or another. */
async function runWhile(t: TestContext, harm: (files: Files) => void, afterBatch = 3): Promise<RunReport> {
  const target = temporaryDatabase(t, "CREATE TABLE t (id TEXT PRIMARY KEY) STRICT");
  const link = join(target, "..", "link.db");
  symlinkSync(target, link);
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
        databasePath: link,
        targetTable: "t",
        mergeKeys: ["id"],
        columnMap: { id: (s: SinkState<{ id: string }>) => s.pk },
      }),
    )
    .run({
      onEvent: ({ type }) => {
        if (type === "batch-end" && (batches += 1) === afterBatch) harm({ target, link, journal });
      },
    });
}

const harms: readonly (readonly [name: string, problem: string, harm: (files: Files) => void])[] = [
  ["a target that is deleted", "was deleted", ({ target }) => rmSync(target)],
  ["a target whose log is deleted", "was deleted", ({ target }) => rmSync(`${target}-wal`)],
  ["a target that is emptied", "was emptied", ({ target }) => truncateSync(target)],
  ["a link to the target that is deleted", "was deleted", ({ link }) => rmSync(link)],
];

for (const [name, problem, harm] of harms) {
  test(`${name} during a run stops it: nothing more counts as written`, async (t) => {
    const { status, exitCode, error, successCount, pendingCount } = await runWhile(t, harm);
    assert.deepEqual([status, exitCode, error?.code, error?.facts["problem"]], ["failed", 3, "SINK_FAILED", problem]);
    assert.equal(successCount, 3);
    assert.ok(pendingCount > 0);
  });
}

test("a target that is deleted after its last batch is noticed when it is closed", async (t) => {
  const { status, exitCode, error } = await runWhile(t, ({ target }) => rmSync(target), 10);
  assert.deepEqual(
    [status, exitCode, error?.code, error?.facts["problem"]],
    ["failed", 3, "SINK_FAILED", "was deleted"],
  );
});

const harmsToJournal: readonly (readonly [name: string, problem: string, harm: (files: Files) => void])[] = [
  ["deleted", "was deleted", ({ journal }) => rmSync(journal)],
  ["emptied", "was emptied", ({ journal }) => truncateSync(journal)],
];

for (const [name, problem, harm] of harmsToJournal) {
  test(`so does a journal that is ${name}`, async (t) => {
    const { status, exitCode, error } = await runWhile(t, harm);
    assert.deepEqual(
      [status, exitCode, error?.code, error?.facts["problem"]],
      ["failed", 3, "JOURNAL_FAILED", problem],
    );
  });
}
