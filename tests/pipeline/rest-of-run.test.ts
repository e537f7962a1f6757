import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunEvent } from "../../src/index.ts";
import { RestProjection } from "../../src/pipeline/rest-of-run.ts";
import { randomFrom } from "../../src/plan/random.ts";
import { callEnd, rowEnd } from "../support/run-events.ts";

interface Row {
  /** null for a row whose answers the journal has. */
  readonly cost: number | null;
  /** True for a row that an earlier run has written. */
  readonly wasWritten?: boolean;
  /** True where an earlier run's answer is reused beside what is paid. */
  readonly reuses?: boolean;
  readonly hasFailed?: boolean;
}

const reuse = (pk: string): RunEvent => ({
  type: "answer-reuse",
  step: "kind",
  pk,
  model: "m",
  promptHash: "p",
  inputTokens: 1,
  cachedTokens: 0,
  outputTokens: 1,
  reasoningTokens: 0,
  cost: 1,
});

/** The projection of a run's cost after each of its rows. */
function projections(rows: readonly Row[], earlier?: Extract<RunEvent, { type: "source-count" }>["earlier"]) {
  const projection = new RestProjection();
  projection.add({ type: "source-count", rowCount: rows.length, earlier });
  return rows.map(({ cost, wasWritten = false, reuses = false, hasFailed = false }, index) => {
    const pk = `r${index}`;
    if ((cost === null && !wasWritten) || reuses) projection.add(reuse(pk));
    if (cost !== null) projection.add(callEnd({ pk, cost }));
    const outcome = hasFailed ? "failed" : cost === null && wasWritten ? "unchanged" : "written";
    projection.add(rowEnd(index, { pk, outcome, wasWritten }));
    const rest = projection.rest?.cost;
    const inAll = (amount: number | undefined): number | undefined =>
      amount === undefined ? undefined : projection.endedCost + amount;
    return { estimate: inAll(rest?.estimate), low: inAll(rest?.low), high: inAll(rest?.high) };
  });
}

const costs = (count: number, seed: number): readonly Row[] => {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => ({ cost: 0.001 * Math.exp(2 * random()) }));
};
const totalOf = (rows: readonly Row[]): number => rows.reduce((sum, { cost }) => sum + (cost ?? 0), 0);
const unchanged = (count: number): readonly Row[] =>
  Array.from({ length: count }, () => ({ cost: null, wasWritten: true }));

for (const [name, done] of [
  ["half", 5000],
  ["nine tenths", 9000],
  ["hardly anything", 100],
] as const) {
  test(`a resumed run of which ${name} was done costs what is projected, to within 20 %, after 10 % of its remaining rows`, () => {
    const rows = [...unchanged(done), ...costs(10_000 - done, done)];
    const earlier = { doneRows: done, costPerRow: null, rowMs: null };
    const after = projections(rows, earlier).slice(done + (10_000 - done) / 10 - 1);
    const truth = totalOf(rows);
    for (const { estimate = 0 } of after) assert.ok(Math.abs(estimate / truth - 1) <= 0.2, `${estimate} of ${truth}`);
  });
}

test("a resumed run in another order than the first, new rows before those that were done, costs what is projected", () => {
  const rows = [...costs(2000, 4), ...unchanged(2000)];
  const earlier = { doneRows: 2000, costPerRow: totalOf(rows) / 2000, rowMs: 100, knowsRows: true };
  for (const { estimate = 0 } of projections(rows, earlier).slice(0, -1)) {
    assert.ok(Math.abs(estimate / totalOf(rows) - 1) <= 0.2, `${estimate} of ${totalOf(rows)}`);
  }
});

for (const isShuffled of [false, true]) {
  test(`a run after a changed prompt that was stopped pays for the other half${isShuffled ? ", in another order, too" : ""}: all rows were written before`, () => {
    const random = randomFrom(12);
    const inOrder = [...unchanged(2000), ...costs(2000, 12).map((row) => ({ ...row, wasWritten: true }))];
    const places = inOrder.map((row) => ({ row, place: random() })).toSorted((one, other) => one.place - other.place);
    const rows = isShuffled ? places.map(({ row }) => row) : inOrder;
    const truth = totalOf(rows);
    const earlier = { doneRows: 2000, writtenRows: 4000, costPerRow: truth / 2000, rowMs: 100, knowsRows: true };
    for (const { estimate = 0 } of projections(rows, earlier).slice(isShuffled ? 400 : 2200)) {
      assert.ok(Math.abs(estimate / truth - 1) <= 0.2, `${estimate} of ${truth}`);
    }
  });
}

test("rows that failed in the last run fail again, first and for nothing: they say nothing of those that are new", () => {
  const failing = Array.from({ length: 200 }, (): Row => ({ cost: 0, hasFailed: true }));
  const rows = [...unchanged(1800), ...failing, ...costs(2000, 5)];
  const earlier = { doneRows: 1800, failedRows: 200, costPerRow: 0.0032, rowMs: 100, knowsRows: true };
  for (const { estimate = 0 } of projections(rows, earlier).slice(0, -1)) {
    assert.ok(Math.abs(estimate / totalOf(rows) - 1) <= 0.2, `${estimate} of ${totalOf(rows)}`);
  }
});

test("rows that fail end before those that wait for their batch: alone they are no rows of the rest", () => {
  const failing = Array.from({ length: 40 }, (): Row => ({ cost: 0, hasFailed: true }));
  const mean = totalOf(costs(2000, 6)) / 2000;
  const after = projections([...failing, ...costs(960, 6)], { doneRows: 0, costPerRow: mean, rowMs: null })[39];
  assert.ok(Math.abs((after?.estimate ?? 0) / (960 * mean) - 1) < 0.1, JSON.stringify(after));
});

test("while a resumed run passes over what was done, the run before says what the rest costs", () => {
  const rows = [...unchanged(5000), ...costs(5000, 1)];
  const mean = totalOf(rows) / 5000;
  const [first, ...others] = projections(rows, { doneRows: 5000, costPerRow: mean, rowMs: 100 });
  for (const { estimate = 0 } of [first ?? assert.fail(), ...others]) {
    assert.ok(Math.abs(estimate / totalOf(rows) - 1) <= 0.2);
  }
});

test("while nothing tells what a row costs, nothing is said of it", () => {
  const after = projections([...unchanged(50), ...costs(50, 1)], { doneRows: 50, costPerRow: null, rowMs: null });
  assert.ok(after.slice(0, 54).every(({ estimate }) => estimate === undefined));
  assert.ok(after.slice(54).every(({ estimate }) => estimate !== undefined));
  const [first] = projections(costs(10, 1));
  assert.equal(first?.estimate, undefined);
});

test("where the prompt of a finished run was changed, every row is paid again", () => {
  const rows = costs(2000, 7).map((row) => ({ ...row, wasWritten: true }));
  const after = projections(rows, { doneRows: 2000, costPerRow: 0.5, rowMs: 100 }).slice(200);
  for (const { estimate = 0 } of after) assert.ok(Math.abs(estimate / totalOf(rows) - 1) <= 0.2);
});

test("where only a later step was changed, rows reuse one answer and pay for the other", () => {
  const rows = costs(2000, 8).map((row) => ({ ...row, reuses: true }));
  const after = projections(rows, { doneRows: 2000, costPerRow: 0.5, rowMs: 100 }).slice(200);
  for (const { estimate = 0 } of after) assert.ok(Math.abs(estimate / totalOf(rows) - 1) <= 0.2);
});

test("of a nightly run with a few changed rows anywhere, their share tells the rest", () => {
  const random = randomFrom(3);
  const rows = costs(20_000, 9).map((row): Row => ({
    cost: random() < 0.05 ? row.cost : null,
    wasWritten: true,
  }));
  const after = projections(rows, { doneRows: 20_000, costPerRow: 0.004, rowMs: 100 }).slice(4000);
  for (const { estimate = 0 } of after) assert.ok(Math.abs(estimate / totalOf(rows) - 1) <= 0.2);
});

test("new rows of which many have an answer from another row's run are projected with them", () => {
  const random = randomFrom(4);
  const rows = [...unchanged(1000), ...costs(4000, 10).map((row): Row => (random() < 0.3 ? { cost: null } : row))];
  const after = projections(rows, { doneRows: 1000, costPerRow: null, rowMs: null }).slice(2000);
  for (const { estimate = 0 } of after) assert.ok(Math.abs(estimate / totalOf(rows) - 1) <= 0.2);
});

test("the interval holds the truth in at least 9 of 10 resumed runs, after a tenth of their remaining rows", () => {
  let covered = 0;
  for (let seed = 1; seed <= 100; seed += 1) {
    const rows = [...unchanged(500), ...costs(1500, seed)];
    const after = projections(rows, { doneRows: 500, costPerRow: null, rowMs: null })[650];
    const truth = totalOf(rows);
    if ((after?.low ?? Infinity) <= truth && truth <= (after?.high ?? 0)) covered += 1;
  }
  assert.ok(covered >= 90, `${covered}`);
});

test("without a count of the source nothing is projected; with more rows than were counted nothing is left", () => {
  assert.equal(new RestProjection().rest, undefined);
  const projection = new RestProjection();
  projection.add({ type: "source-count", rowCount: 2 });
  for (let position = 0; position < 3; position += 1) projection.add(rowEnd(position));
  assert.deepEqual(projection.rest, { rows: 0, paidRows: 0, cost: { estimate: 0, low: 0, high: 0 } });
});
