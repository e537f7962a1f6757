import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Pipeline, type Journal, type Sink } from "../../src/index.ts";
import { SQLiteJournal } from "../../src/journals/sqlite.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Runs two rows, and tells in which order target, journal and report had them. */
async function run(path: string, { isDown = false } = {}) {
  const order: string[] = [];
  const inner = new SQLiteJournal({ path });
  const journal: Journal = {
    name: inner.name,
    identity: inner.identity,
    reader: inner.reader,
    open: async (facts, signal) => {
      const session = await inner.open(facts, signal);
      const saveWritten: typeof session.rows.saveWritten = async (sink, rows) => {
        await setImmediate();
        await session.rows.saveWritten(sink, rows);
        order.push(`the journal saved ${rows.length}`);
      };
      return { ...session, rows: { ...session.rows, saveWritten } };
    },
  };
  const sink: Sink<never> = {
    name: "target",
    identity: "target",
    keepsRows: true,
    columnMap: { id: (state: { readonly pk: string }) => state.pk },
    open: async () => ({
      write: async (groups) => {
        await setImmediate();
        if (isDown) throw new Error("the target is down");
        order.push(`the target has ${groups.length}`);
      },
      close: async () => {},
    }),
  };
  const report = await new Pipeline({
    name: "order",
    source: new MemorySource<{ id: string }>({ rows: [{ id: "1" }, { id: "2" }], primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
    payloadLog: "off",
    journal,
  })
    .to(sink as Sink<unknown>)
    .run({
      onEvent: (event) => {
        if (event.type === "row-end") order.push(event.outcome);
      },
    });
  return { order, report };
}

test("a row is in the target, then in the journal as written, and then counts as written", async () => {
  const { order } = await run(join(temporaryFolder(), "journal.db"));
  assert.deepEqual(order, ["the target has 2", "the journal saved 2", "written", "written"]);
});

test("a row that the target did not take is not known as written: the next run writes it", async () => {
  const path = join(temporaryFolder(), "journal.db");
  const { order, report } = await run(path, { isDown: true });
  assert.deepEqual([order, report.exitCode, report.pendingCount], [["pending", "pending"], 3, 2]);
  const next = await run(path);
  assert.deepEqual([next.order[0], next.report.successCount], ["the target has 2", 2]);
});
