import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { GlobalState } from "../../src/engine/state.ts";
import { ChangeDetector } from "../../src/engine/change-detector.ts";
import type { ColumnMap, SinkSession } from "../../src/contracts/sink.ts";
import { badRow } from "../../src/testing/journal-samples.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { openJournal } from "../support/journal-file.ts";
import { failsWith } from "../support/error-facts.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

type AnyState = GlobalState<object, Readonly<Record<string, unknown>>>;

const journal = await openJournal(join(temporaryFolder(), "journal.db"));
test.after(async () => await journal.close());
let count = 0;

function stateOf(value: unknown, pk = "1"): AnyState {
  return new GlobalState({ pk, raw: { value }, processed: {}, log: [], startedAt: new Date() });
}

/** Rows written to one new sink, run after run. */
function rowsOf(columnMap: ColumnMap<never>, session: Partial<SinkSession> = {}) {
  const identity = `sink-${(count += 1)}`;
  return async (runId: string, fresh = false) => {
    const rows = new ChangeDetector({ sink: new MemorySink<never, string>({ columnMap, identity }), runId, journal });
    await rows.begin({ write: async () => {}, close: async () => {}, ...session }, fresh);
    return rows;
  };
}

const value: ColumnMap<never> = { value: (state: { raw: { value: unknown } }) => state.raw.value };

async function write(rows: ChangeDetector, state: AnyState): Promise<boolean> {
  const { isUnchanged, record } = await rows.map(state, {});
  if (!isUnchanged) await rows.saveWritten([{ record }]);
  return isUnchanged;
}

test("a row is unchanged exactly when each of its values is what was written", async () => {
  const values = [
    null,
    undefined,
    "",
    "1",
    1,
    1n,
    true,
    "true",
    1.5,
    "1.5",
    NaN,
    Infinity,
    -Infinity,
    "NaN",
    [],
    {},
    "null",
  ];
  const others = [
    new Date(0),
    new Date(0).toISOString(),
    new Date(NaN),
    Buffer.from("a"),
    "a",
    "YQ==",
    { a: 1 },
    { a: "1" },
  ];
  const distinct: readonly unknown[] = [...values, ...others];
  const open = rowsOf(value);
  const rows = await open("run-1");
  for (const before of distinct) {
    await write(rows, stateOf(before));
    for (const after of distinct) {
      const same = Object.is(before, after) || (before ?? null) === (after ?? null);
      assert.equal(await write(rows, stateOf(after)), same, `${String(before)} to ${String(after)}`);
      await write(rows, stateOf(before));
    }
  }
});

test("any values, mapped again, are unchanged; and in another order of columns as well", async () => {
  await fc.assert(
    fc.asyncProperty(fc.anything({ withDate: true, withBigInt: true, withTypedArray: false }), async (one) => {
      const read = (state: { raw: { value: unknown } }): unknown => state.raw.value;
      const identity = `sink-${(count += 1)}`;
      const mapped = async (columnMap: ColumnMap<never>): Promise<boolean> => {
        const sink = new MemorySink<never, string>({ columnMap, identity });
        return await write(new ChangeDetector({ sink, runId: "run-1", journal }), stateOf(one));
      };
      assert.equal(await mapped({ a: read, b: () => 1 }), false);
      assert.equal(await mapped({ b: () => 1, a: read }), true);
    }),
    { numRuns: 100, seed: 1 },
  );
});

test("columns that show the time, the run or the lineage keep those of the last write, until a value changes", async () => {
  const open = rowsOf({
    ...value,
    at: (state: { completedAt: Date }) => state.completedAt,
    run: (state: { run: { id: string } }) => state.run.id,
    calls: (state: { lineage: { kind: { calls: number } } }) => state.lineage.kind.calls,
  });
  const lineage = (calls: number) => ({
    kind: { model: "m", promptHash: "p", inputTokens: 1, cachedTokens: 0, outputTokens: 1, calls },
  });
  const first = await (await open("run-1")).map(stateOf("a"), lineage(2));
  await (await open("run-1")).saveWritten([first]);
  const second = await (await open("run-2")).map(stateOf("a"), lineage(1));
  assert.equal(second.isUnchanged, true);
  assert.deepEqual(second.group, first.group);
  const third = await (await open("run-3")).map(stateOf("b"), lineage(1));
  assert.equal(third.isUnchanged, false);
  const [values] = third.group.rows;
  assert.equal(values?.["run"], "run-3");
  assert.equal(values?.["calls"], 1);
});

test("a column map that can't be applied to the last write's facts counts as changed", async () => {
  const identity = `sink-${(count += 1)}`;
  const columnMap = { model: (s: { lineage: Record<string, { model: string } | null> }) => s.lineage["kind"]?.model };
  const rows = new ChangeDetector({
    sink: new MemorySink<never, string>({ columnMap, identity }),
    runId: "run-1",
    journal,
  });
  await rows.saveWritten([await rows.map(stateOf("a"), { kind: null })]);
  const strict = { model: (s: { lineage: { kind: { model: string } } }) => s.lineage.kind.model };
  const later = new ChangeDetector({
    sink: new MemorySink<never, string>({ columnMap: strict, identity }),
    runId: "r",
    journal,
  });
  await assert.rejects(later.map(stateOf("a"), { kind: null }), { code: "COLUMN_MAP_FAILED" });
});

test("an empty target is refused where rows were written, unless everything is to be written fresh", async () => {
  let isEmpty = false;
  const open = rowsOf(value, { isEmpty: async () => isEmpty });
  await write(await open("run-1"), stateOf("a"));
  isEmpty = true;
  await assert.rejects(open("run-2"), { code: "TARGET_MISMATCH", message: /is empty, but .*--fresh/s });
  assert.equal(await write(await open("run-3", true), stateOf("a")), false);
  isEmpty = false;
  assert.equal(await write(await open("run-4"), stateOf("a")), true);
});

test("unchanged rows are looked for in the target, at first often, then one in a thousand", async () => {
  let looked = 0;
  let isThere = true;
  const open = rowsOf(value, { holds: async () => ((looked += 1), isThere) });
  const rows = await open("run-1");
  for (let pk = 0; pk < 1500; pk += 1) await write(rows, stateOf("a", `${pk}`));
  const again = await open("run-2");
  for (let pk = 0; pk < 1500; pk += 1) assert.equal(await write(again, stateOf("a", `${pk}`)), true);
  assert.equal(looked, 11); // the 1st, 2nd, 4th, 8th … 512th, and the 1,024th
  isThere = false;
  await assert.rejects((await open("run-3")).map(stateOf("a"), {}), {
    code: "TARGET_MISMATCH",
    message: /a row is missing in sink-\d+, although .* swapped for another/s,
  });
});

test("two primary keys that share a place in the target take it from each other", async () => {
  const key = (state: { raw: { value: { key: string } } }): string => state.raw.value.key;
  const open = rowsOf(
    { key, note: (state: { raw: { value: { note: string } } }) => state.raw.value.note },
    {
      keyOf: ({ key: place }) => String(place),
    },
  );
  const old = stateOf({ key: "K", note: "old" }, "1");
  assert.equal(await write(await open("run-1"), old), false);
  assert.equal(await write(await open("run-2"), old), true);
  assert.equal(await write(await open("run-3"), stateOf({ key: "K", note: "new" }, "2")), false);
  assert.equal(await write(await open("run-4"), old), false);
  assert.equal(await write(await open("run-5"), old), true);
});

test("the key is asked for once the row is written, and given to the check of a row that did not change", async () => {
  const checked: unknown[] = [];
  let place = "before";
  const open = rowsOf(value, {
    keyOf: () => place,
    check: (_values, unchangedKey) => {
      checked.push(unchangedKey);
      return [];
    },
  });
  const rows = await open("run-1");
  const { record } = await rows.map(stateOf("a"), {});
  place = "after";
  await rows.saveWritten([{ record }]);
  assert.equal(await write(await open("run-2"), stateOf("a")), true);
  assert.deepEqual(checked, [undefined, "after"]);
});

test("a row that failed since is written again, though its values did not change", async () => {
  const open = rowsOf(value);
  await write(await open("run-1"), stateOf("a"));
  const second = await open("run-2");
  await second.saveFailed(badRow(1, { runId: "run-2" }));
  assert.equal(await write(await open("run-3"), stateOf("a")), false);
  assert.equal(await write(await open("run-4"), stateOf("a")), true);
});

test("a row that did not change fails all the same where the target can no longer hold its values", async () => {
  let longest = 10;
  const check: SinkSession["check"] = ({ value: text }) =>
    String(text).length > longest ? [{ column: "value", message: "too long", detail: "too long" }] : [];
  const open = rowsOf(value, { check });
  const row = stateOf("a text");
  assert.equal(await write(await open("run-1"), row), false);
  assert.equal(await write(await open("run-2"), row), true);
  longest = 3;
  await assert.rejects((await open("run-3")).map(row, {}), failsWith("VALUE_DOES_NOT_FIT", { where: ["value"] }));
});
