import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Journal } from "../src/contracts/journal.ts";
import { Pipeline } from "../src/index.ts";
import { SQLiteJournal } from "../src/journals/sqlite.ts";
import { MockProvider } from "../src/llm/providers/mock.ts";
import { MemorySink } from "../src/testing/memory-sink.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

interface Row {
  readonly id: string;
  readonly value: string;
}

interface Done {
  readonly pk: string;
  readonly raw: Row;
}

/** The journal of a process that dies when its rows are in the target, before it can say so. */
function dyingAfterWrites(journal: Journal): Journal {
  const { name, identity, reader } = journal;
  const open: Journal["open"] = async (run, signal) => {
    const session = await journal.open(run, signal);
    const saveWritten = async (): Promise<void> => await Promise.reject(new Error("killed"));
    return { ...session, rows: { ...session.rows, saveWritten } };
  };
  return { name, identity, reader, open };
}

function target() {
  return new MemorySink({
    columnMap: { id: (s: Done) => s.pk, value: (s: Done) => s.raw.value },
    mergeKeys: ["id"],
  });
}

test("a row that was changed by a run that died, and is as before in the next, is written again", async () => {
  const journal = new SQLiteJournal({ path: join(temporaryFolder(), "journal.db") });
  const sink = target();
  const run = async (value: string, own: Journal = journal): Promise<number> => {
    const rows = [
      { id: "1", value },
      { id: "2", value: "same" },
    ];
    const report = await new Pipeline<Row>({
      name: "reverted",
      source: new MemorySource<Row>({ rows, primaryKeyColumn: "id" }),
      llmProvider: new MockProvider(),
      journal: own,
      payloadLog: "off",
    })
      .to(sink)
      .run();
    return report.unchangedCount;
  };
  await run("old");
  await run("new", dyingAfterWrites(journal));
  assert.deepEqual(
    sink.rows.map(({ value }) => value),
    ["new", "same"],
  );
  assert.equal(await run("old"), 1);
  assert.deepEqual(
    sink.rows.map(({ value }) => value),
    ["old", "same"],
  );
  assert.equal(await run("old"), 2);
});
