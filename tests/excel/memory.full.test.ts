// Full lane: seconds of CPU.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { ExcelSink } from "../../src/sinks/excel.ts";
import { ExcelSource } from "../../src/sources/excel.ts";
import { garbageCollector } from "../support/heap.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const rowCount = 60_000;
const batchSize = 500;
/** A row kept would be a hundred times as much. */
const mostBytesPerRow = 20;
const looks = new Set([10_000, rowCount - batchSize]);

/** Takes what is live, on the heap and beside it, after some rows. */
function lookingAtMemory(): { readonly after: (rows: number) => Promise<void>; readonly bytesPerRow: () => number } {
  const collect = garbageCollector();
  const live: number[] = [];
  return {
    after: async (rows) => {
      if (!looks.has(rows)) return;
      collect();
      await setImmediate(); // what zlib held is let go in another turn
      collect();
      const { heapUsed, external } = process.memoryUsage();
      live.push(heapUsed + external);
    },
    bytesPerRow: () => ((live[1] ?? Infinity) - (live[0] ?? 0)) / (rowCount - batchSize - 10_000),
  };
}

test("what is live does not grow with the rows of a sheet: one that is written, and one that is read", async (t) => {
  const filePath = join(temporaryFolder(), "rows.xlsx");
  const columns = ["id", "text", "amount", "day", "isOpen"];
  const sink = new ExcelSink({ filePath, columnMap: Object.fromEntries(columns.map((name) => [name, () => 1])) });
  const writing = lookingAtMemory();
  const signal = new AbortController().signal;
  const session = await sink.open({ signal });
  const day = new Date("2026-11-30");
  for (let first = 0; first < rowCount; first += batchSize) {
    const batch = Array.from({ length: batchSize }, (_, index) => {
      const id = first + index + 1;
      return {
        pk: String(id),
        rows: [{ id, text: `ticket ${id} is about a parcel`, amount: id / 4, day, isOpen: true }],
      };
    });
    await session.write(batch);
    await writing.after(first + batchSize);
  }
  await session.close("completed");
  const reading = lookingAtMemory();
  let count = 0;
  for await (const row of new ExcelSource({ filePath, primaryKeyColumn: "id" }).read({ signal, parameters: {} })) {
    assert.ok("raw" in row);
    count += 1;
    await reading.after(count);
  }
  assert.equal(count, rowCount);
  for (const [what, { bytesPerRow }] of Object.entries({ writing, reading })) {
    t.diagnostic(`${what}: ${bytesPerRow().toFixed(1)} bytes a row`);
    assert.ok(bytesPerRow() <= mostBytesPerRow, `${what}: ${bytesPerRow()} bytes a row`);
  }
});
