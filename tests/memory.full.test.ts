// Full lane: seconds of CPU.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ClassifierStep, Pipeline } from "../src/index.ts";
import { SQLiteJournal } from "../src/journals/sqlite.ts";
import { MockProvider, type MockProviderOptions } from "../src/llm/providers/mock.ts";
import { SQLiteSink } from "../src/sinks/sqlite.ts";
import { MemorySource } from "../src/testing/memory-source.ts";
import { garbageCollector } from "./support/heap.ts";
import { temporaryDatabase, temporaryFolder } from "./support/sqlite.ts";

/** So many answers wait in memory before the journal's index takes them. */
const mostWaiting = 16_384;
/** V8 keeps what it has compiled for some collections after its last use. */
const collectEvery = 1000;
/** After these rows what is live is looked at: soon after most answers of a first run went into the index, the first and the second time. */
const looks = [1000, 2000, 3000].flatMap((rows) => [16_000 + rows, 32_000 + rows]);
/** Few rows wait for their batch: how many it is at a look is chance. */
const batchSize = 20;

/** The least that is live may differ by code that V8 has made meanwhile; so little a row is no object. */
const mostBytesPerRow = 48;

interface Note {
  readonly id: string;
  readonly note: string;
}

function* notes(): Generator<Note> {
  for (let number = 1; number <= Math.max(...looks); number += 1)
    yield { id: `enc-${number}`, note: `Encounter ${number}: pain` };
}

test("what is live of a run does not grow with its rows: a first run, one in which nothing changed, and one with faults", async (t) => {
  const folder = temporaryFolder(t);
  const databasePath = temporaryDatabase(t, "CREATE TABLE visits (id TEXT PRIMARY KEY, category TEXT)");
  const collect = garbageCollector();
  const run = async (journal: string, options: MockProviderOptions = {}) => {
    let [before, after] = [Infinity, Infinity];
    let ended = 0;
    const report = await new Pipeline<Note>({
      name: "memory",
      batchSize,
      source: new MemorySource<Note>({ rows: notes, primaryKeyColumn: "id" }),
      llmProvider: new MockProvider(options),
      journal: new SQLiteJournal({ path: join(folder, journal) }),
      ...{ payloadLogPath: join(folder, "payloads.jsonl"), payloadLog: "metadata" as const },
      ...{ deadLetterPath: join(folder, "failed.jsonl"), onRowError: "dead_letter" as const },
    })
      .step(
        new ClassifierStep({
          name: "kind",
          taxonomy: [{ name: "knee", definition: "It is about a knee." }],
          inputMap: { text: (state) => state.raw.note },
          outputKey: "kind",
        }),
      )
      .to(
        new SQLiteSink({
          databasePath,
          targetTable: "visits",
          mergeKeys: ["id"],
          columnMap: { id: (state) => state.pk, category: (state) => state.processed.kind.category },
        }),
      )
      .run({
        onEvent: (event) => {
          if (event.type !== "row-end") return;
          ended += 1;
          if (ended % collectEvery === 0) collect();
          if (!looks.includes(ended)) return;
          const live = process.memoryUsage().heapUsed;
          if (ended < 2 * mostWaiting) before = Math.min(before, live);
          else after = Math.min(after, live);
        },
      });
    assert.equal(report.error, null);
    const bytesPerRow = (after - before) / mostWaiting;
    t.diagnostic(`${bytesPerRow.toFixed(1)} bytes a row`);
    assert.ok(bytesPerRow < mostBytesPerRow, `${bytesPerRow} bytes a row are live that have no more use`);
    return report;
  };

  assert.equal((await run("journal.db")).unchangedCount, 0);
  const second = await run("journal.db");
  assert.equal(second.unchangedCount, second.readCount);
  const faults = { serverError: 0.01, rateLimit: 0.01, invalidJSON: 0.01, refusal: 0.01 };
  const third = await run("other.db", { faults });
  assert.ok(third.failureCount > 100);
});
