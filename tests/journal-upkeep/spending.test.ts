import assert from "node:assert/strict";
import { test } from "node:test";
import type { OpenReservation, SpentSlice } from "../../src/contracts/journal-spending.ts";
import { spendingByDay } from "../../src/journal-upkeep/spending.ts";

const slice = (time: string, settled: bigint, given: Partial<SpentSlice> = {}): SpentSlice => {
  return { pipeline: "visits", currency: "USD", startsAt: new Date(time), settled, ...given };
};

const reservation = (time: string, amount: bigint): OpenReservation => {
  const facts = { id: time, pipeline: "visits", runId: "killed", currency: "USD", fingerprint: "" };
  return { ...facts, amount, reservedAt: new Date(time) };
};

const billion = 1_000_000_000n;
const slices = [
  slice("2026-10-24T22:00:00Z", billion),
  slice("2026-10-25T22:45:00Z", 2n * billion, { pipeline: "bills" }),
  slice("2026-10-25T22:45:00Z", 3n * billion, { currency: "EUR" }),
  slice("2026-10-25T23:00:00Z", 4n * billion),
  slice("2026-09-30T21:45:00Z", 5n * billion),
];
const open = [reservation("2026-10-25T23:00:01Z", billion / 2n), reservation("2026-08-01T00:00:00Z", billion)];
const look = {
  spending: {
    list: async ({ since = new Date(0) }) => ({
      items: slices.filter(({ startsAt }) => startsAt >= since),
      next: null,
    }),
    reservations: async ({ since = new Date(0) }) => ({
      items: open.filter(({ reservedAt }) => reservedAt >= since),
      next: null,
    }),
  },
};

test("money is shown by the days of this month in the budget's time zone, each currency apart", async () => {
  const now = new Date("2026-10-31T22:59:59Z");
  assert.deepEqual(await spendingByDay(look, now, "Europe/Berlin"), [
    { date: "2026-10-25", currency: "EUR", settled: 3, reserved: 0 },
    { date: "2026-10-25", currency: "USD", settled: 3, reserved: 0 },
    { date: "2026-10-26", currency: "USD", settled: 4, reserved: 0.5 },
  ]);
  const inUTC = await spendingByDay(look, now, "UTC");
  assert.deepEqual(
    inUTC.map(({ date, currency, settled }) => [date, currency, settled]),
    [
      ["2026-10-24", "USD", 1],
      ["2026-10-25", "EUR", 3],
      ["2026-10-25", "USD", 6],
    ],
  );
  assert.deepEqual(await spendingByDay(look, new Date("2026-11-30T23:00:00Z"), "Europe/Berlin"), []);
});
