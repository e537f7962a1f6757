import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import type { RowOutcome } from "../../src/contracts/events.ts";
import type { ChangePlace } from "../../src/contracts/source.ts";
import { ChangeProgress } from "../../src/pipeline/change-progress.ts";
import { SQLiteSource } from "../../src/sources/sqlite.ts";
import { RunsOverChanges } from "../support/runs-over-changes.ts";
import { execute, query, temporaryDatabase } from "../support/sqlite.ts";

const outcomes = fc.constantFrom<RowOutcome>("written", "unchanged", "failed", "skipped", "pending");

/** Rows of which the first ones are settled, with how each ends, and the order in which they do. */
const readings = fc
  .record({
    rows: fc.array(fc.tuple(outcomes, fc.boolean()), { maxLength: 12 }),
    settledCount: fc.nat(14),
    order: fc.array(fc.nat(), { minLength: 12, maxLength: 12 }),
  })
  .map(({ rows, settledCount, order }) => ({
    rows: rows.map(([outcome, wasDue], index) => {
      const isSettled = index < settledCount;
      return { key: `k${index}`, outcome, wasDue, isSettled, place: placeOf(index, isSettled) };
    }),
    order: rows.map((_, index) => index).toSorted((one, other) => (order[one] ?? 0) - (order[other] ?? 0)),
  }));

function placeOf(index: number, isSettled = true): ChangePlace {
  return { exact: `${index}`, shown: null, isSettled };
}

const isGood = (outcome: RowOutcome): boolean => outcome === "written" || outcome === "unchanged";

test("the place moves past the rows that have ended, in order, and those that did not end well are due", () => {
  fc.assert(
    fc.property(readings, ({ rows, order }) => {
      const before = placeOf(-1);
      const progress = new ChangeProgress(before, [
        "gone",
        ...rows.flatMap(({ key, wasDue }) => (wasDue ? [key] : [])),
      ]);
      const ended = new Set<number>();
      for (const [index, { key, place }] of rows.entries()) progress.read(index + 1, key, place);
      for (const index of order) {
        const row = rows[index];
        assert.ok(row !== undefined);
        progress.ended(index + 1, row.outcome);
        if (row.outcome !== "pending") ended.add(index);
        const passedCount = rows.findIndex(({ isSettled }, at) => !isSettled || !ended.has(at));
        const passed = rows.slice(0, passedCount === -1 ? rows.length : passedCount);
        assert.equal(progress.place?.exact, (passed.at(-1)?.place ?? before).exact);
        const due = rows.filter(({ wasDue, outcome }, at) => {
          if (ended.has(at) && isGood(outcome)) return false;
          return wasDue || at < passed.length;
        });
        assert.deepEqual(progress.due.toSorted(), ["gone", ...due.map(({ key }) => key)].toSorted());
      }
    }),
  );
});

test("rows that end well are passed, also where more are due than failed ones are kept", () => {
  const progress = new ChangeProgress(placeOf(-1), ["a", "b", "c"], 2);
  for (const [index, outcome] of (["written", "written", "failed", "written"] as const).entries()) {
    progress.read(index + 1, `k${index}`, placeOf(index));
    progress.ended(index + 1, outcome);
  }
  assert.deepEqual([progress.place?.exact, progress.due], ["1", ["a", "b", "c"]]);
});

test("rather than keep more due rows than it may, the place stays before those", () => {
  fc.assert(
    fc.property(readings, fc.nat(3), ({ rows, order }, most) => {
      const progress = new ChangeProgress(undefined, [], most);
      for (const [index, { key, place }] of rows.entries()) progress.read(index + 1, key, place);
      for (const index of order) progress.ended(index + 1, rows[index]?.outcome ?? "pending");
      assert.ok(progress.due.length <= most);
      const passedCount = rows.findIndex(({ place }) => place.exact === progress.place?.exact) + 1;
      const failed = rows.slice(0, passedCount).filter(({ outcome }) => !isGood(outcome));
      assert.deepEqual(progress.due.toSorted(), failed.map(({ key }) => key).toSorted());
      const next = rows[passedCount];
      const isHeld = next === undefined || !next.isSettled || next.outcome === "pending";
      // Behind a row that is held, rows that failed are gathered: together they may be too many sooner.
      assert.ok(
        isHeld || failed.length + rows.slice(passedCount).filter(({ outcome }) => !isGood(outcome)).length > most,
      );
    }),
  );
});

test("rows that ended behind one that has not take no memory each", () => {
  const progress = new ChangeProgress(undefined, []);
  const rowCount = 100_000;
  progress.read(1, "first", placeOf(1));
  for (let position = 2; position <= rowCount; position += 1) {
    progress.read(position, `k${position}`, placeOf(position));
    progress.ended(position, "written");
  }
  assert.deepEqual([progress.place, progress.due], [undefined, []]);
  progress.ended(1, "failed");
  assert.deepEqual([progress.place?.exact, progress.due], [`${rowCount}`, ["first"]]);
});

const lagSeconds = 60;
const startMs = Date.UTC(2026, 0, 1);

/** A site whose writers commit in any order: each row has the time at which its transaction gave it, up to the lag before its commit. */
class Interleaving {
  readonly #path: string;
  readonly runs: RunsOverChanges;
  #writeCount = 0;

  constructor(path: string) {
    this.#path = path;
    const changes = { by: "column", column: "changed_at", lagSeconds } as const;
    this.runs = new RunsOverChanges(
      new SQLiteSource<{ id: string }>({
        databasePath: path,
        sql: "SELECT * FROM source",
        primaryKeyColumn: "id",
        changes,
      }),
    );
    execute(path, "DELETE FROM source");
  }

  get source(): ReadonlyMap<string, unknown> {
    return new Map(query(this.#path, "SELECT id, note FROM source").map(({ id, note }) => [String(id), note]));
  }

  write(id: number, openSeconds: number | null): void {
    this.#writeCount += 1;
    const time = openSeconds === null ? null : new Date(Date.now() - openSeconds * 1000).toISOString().slice(0, 19);
    const values = `'${id}', ${this.#writeCount}, ${time === null ? "NULL" : `'${time}'`}`;
    execute(this.#path, `INSERT OR REPLACE INTO source VALUES (${values})`);
  }
}

const write = fc.record({
  id: fc.nat(5),
  openSeconds: fc.option(fc.nat(lagSeconds - 2), { freq: 10 }),
  afterSeconds: fc.nat(90),
});
const runs = fc.array(
  fc.record({
    before: fc.array(write, { maxLength: 6 }),
    during: fc.array(write, { maxLength: 2 }),
    outcomes: fc.array(outcomes, { minLength: 1, maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 5 },
);

test("whatever the order in which writers commit, the target is as the source after one more run", async (t: TestContext) => {
  t.mock.timers.enable({ apis: ["Date"], now: startMs });
  const path = temporaryDatabase(t, "CREATE TABLE source (id TEXT PRIMARY KEY, note INTEGER, changed_at TEXT)");
  await fc.assert(
    fc.asyncProperty(runs, async (given) => {
      t.mock.timers.setTime(startMs);
      const site = new Interleaving(path);
      const writeAll = (writes: readonly { id: number; openSeconds: number | null; afterSeconds: number }[]): void => {
        for (const { id, openSeconds, afterSeconds } of writes) {
          t.mock.timers.setTime(Date.now() + afterSeconds * 1000);
          site.write(id, openSeconds);
        }
      };
      for (const { before, during, outcomes: ends } of given) {
        writeAll(before);
        await site.runs.run((index) => ends[index % ends.length] ?? "written", { rows: () => writeAll(during) });
      }
      await site.runs.run(() => "written");
      assert.deepEqual(site.runs.target, site.source);
      t.mock.timers.setTime(Date.now() + 10 * lagSeconds * 1000);
      await site.runs.run(() => "unchanged");
      const withoutTime = query(path, "SELECT id FROM source WHERE changed_at IS NULL").length;
      assert.equal(await site.runs.run(() => "unchanged"), withoutTime);
    }),
    { numRuns: 60 },
  );
});
