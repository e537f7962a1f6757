import { deepEqual, equal, ok } from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { JournalSession } from "../contracts/journal.ts";
import type { LimitsAt, LimitState, Reservation, SpentSlice } from "../contracts/journal-spending.ts";
import { quarterOf } from "../spending/granted.ts";
import { inSession, type JournalCheck, type OpenedJournal, pagesOf } from "./journal-check.ts";
import { one, other } from "./journal-samples.ts";

/** The promises of every journal about the money that runs spend. */
export const spendingChecks: Readonly<Record<string, JournalCheck>> = {
  "amounts are reserved in their order, up to the first that is more than a limit leaves": inSession(reservesInOrder),
  "what is reserved at once, by whomever, stays within the limit": inSession(reservesAtOnce),
  "a settlement ends its reservation with the cost, once": inSession(settlesOnce),
  "a limit counts its own currency, and what was reserved in its time": inSession(countsItsOwn),
  "amounts keep all their digits": inSession(keepsDigits),
  "reservations outlive their run, and are settled for the time at which they were made": outliveTheirRun,
  "what was spent is given page by page, by quarter of an hour and pipeline": pagesSlices,
  "spending and reservations are added from another journal, once": addsFromAnother,
};

const hourMs = 3_600_000;

function reservation(amount: bigint, given: Partial<Reservation> = {}): Reservation {
  const facts = { pipeline: "visits", runId: "run-1", currency: "USD", fingerprint: one };
  return { id: randomUUID(), amount, ...facts, ...given };
}

/** One limit for a day or two around now. */
function within(most: bigint, name = "day"): LimitsAt {
  return (now) => {
    const quarter = quarterOf(now.getTime());
    return [{ name, from: new Date(quarter - 24 * hourMs), until: new Date(quarter + 24 * hourMs), most }];
  };
}

function sumsOf(
  limits: readonly LimitState[],
): readonly (readonly [name: string, settled: bigint, reserved: bigint])[] {
  return limits.map(({ limit, settled, reserved }) => [limit.name, settled, reserved]);
}

async function spentNow({ spending }: JournalSession): Promise<readonly [settled: bigint, reserved: bigint]> {
  const { limits } = await spending.reserve([reservation(1n)], within(0n));
  return [limits[0]?.settled ?? 0n, limits[0]?.reserved ?? 0n];
}

async function reservesInOrder({ spending }: JournalSession): Promise<void> {
  const limits: LimitsAt = (now) => [...within(100n)(now), ...within(70n, "month")(now)];
  const before = Date.now();
  const first = await spending.reserve([reservation(30n), reservation(30n), reservation(11n), reservation(1n)], limits);
  equal(first.count, 2, "the third does not fit, and the fourth is behind it");
  // The journal's clock may be another machine's.
  ok(Math.abs(first.reservedAt.getTime() - before) < hourMs / 2, "it is reserved at the journal's time");
  deepEqual(sumsOf(first.limits), [
    ["day", 0n, 60n],
    ["month", 0n, 60n],
  ]);
  equal((await spending.reserve([reservation(10n)], limits)).count, 1, "a limit may be used up");
  equal((await spending.reserve([reservation(1n)], limits)).count, 0);
  equal((await spending.reserve([reservation(30n)], within(100n))).count, 1);
}

async function reservesAtOnce({ spending }: JournalSession): Promise<void> {
  const asked = Array.from({ length: 40 }, async () => {
    const { count } = await spending.reserve([reservation(3n), reservation(3n)], within(100n));
    return count;
  });
  const counts = await Promise.all(asked);
  equal(
    counts.reduce((sum, count) => sum + count, 0),
    33,
  );
}

async function settlesOnce(session: JournalSession): Promise<void> {
  const { spending } = session;
  const wanted = [reservation(50n), reservation(40n), reservation(5n)];
  await spending.reserve(wanted, within(100n));
  const [first, second] = wanted.map(({ id }) => id);
  const settlements = [
    { id: first ?? "", amount: 20n },
    { id: second ?? "", amount: 0n },
  ];
  await Promise.all(settlements.map(async (each) => await spending.settle([each])));
  deepEqual(await spentNow(session), [20n, 5n]);
  await spending.settle([...settlements, { id: "unknown", amount: 7n }]);
  deepEqual(await spentNow(session), [20n, 5n], "what is settled is left out");
  equal((await spending.reserve([reservation(75n)], within(100n))).count, 1, "what was not used is free again");
  const dearer = reservation(1n, { currency: "EUR" });
  await spending.reserve([dearer], within(1n));
  await spending.settle([{ id: dearer.id, amount: 9n }]);
  equal((await spending.reserve([reservation(1n, { currency: "EUR" })], within(9n))).count, 0, "the cost counts");
}

/** An hour before, two around now, and the one after. */
const spans: LimitsAt = (now) => {
  const quarter = quarterOf(now.getTime());
  return [
    { name: "before", from: new Date(quarter - hourMs), until: new Date(quarter), most: 100n },
    { name: "now", from: new Date(quarter - hourMs), until: new Date(quarter + hourMs), most: 100n },
    { name: "after", from: new Date(quarter + hourMs), until: new Date(quarter + 2 * hourMs), most: 100n },
  ];
};

async function countsItsOwn(session: JournalSession): Promise<void> {
  const { spending } = session;
  await spending.reserve([reservation(90n)], within(100n));
  equal((await spending.reserve([reservation(90n, { currency: "EUR" })], within(100n))).count, 1);
  equal((await spending.reserve([reservation(20n, { pipeline: "another" })], within(100n))).count, 0);
  const inDollars = await spending.reserve([reservation(200n)], spans);
  deepEqual(
    sumsOf(inDollars.limits).map(([, , reserved]) => reserved > 0n),
    [false, true, false],
  );
}

async function keepsDigits(session: JournalSession): Promise<void> {
  const amount = 2n ** 53n + 1n;
  const wanted = [reservation(amount), reservation(amount)];
  const { limits } = await session.spending.reserve(wanted, within(2n * amount));
  equal(limits[0]?.reserved, 2n * amount);
  equal((await session.spending.reserve([reservation(1n)], within(2n * amount))).count, 0);
  await session.spending.settle(wanted.map(({ id }) => ({ id, amount })));
  equal((await session.spending.reserve([reservation(1n)], within(2n * amount))).count, 0);
  const { limits: settled } = await session.spending.reserve([reservation(1n)], within(2n * amount + 1n));
  deepEqual(sumsOf(settled), [["day", 2n * amount, 1n]]);
  const [open] = (await session.spending.reservations({ limit: 9 })).items;
  equal(open?.amount, 1n);
}

async function outliveTheirRun({ open, read }: OpenedJournal): Promise<void> {
  const session = await open("run-1");
  const killed = [reservation(30n), reservation(20n, { fingerprint: other })];
  const another = reservation(10n, { pipeline: "another" });
  const { reservedAt } = await session.spending.reserve([...killed, another], within(100n));
  await session.close();
  const next = await open("run-2");
  equal((await next.spending.reserve([reservation(41n)], within(100n))).count, 0, "what is not settled counts");
  const pages = await pagesOf(
    async (request) => await next.spending.reservations({ pipeline: "visits", ...request }),
    1,
  );
  deepEqual(
    pages.map(([each]) => each),
    killed.map((each) => ({ ...each, reservedAt })),
  );
  for (const [since, count] of [
    [reservedAt, 2],
    [new Date(reservedAt.getTime() + 1), 0],
  ] as const)
    equal((await next.spending.reservations({ pipeline: "visits", since, limit: 9 })).items.length, count);
  await next.spending.settle([{ id: killed[0]?.id ?? "", amount: 7n }]);
  const { spending } = await read();
  const { items } = await spending.reservations({ limit: 9 });
  deepEqual(
    items.map(({ amount, pipeline }) => [amount, pipeline]),
    [
      [20n, "visits"],
      [10n, "another"],
    ],
  );
  const slice = {
    pipeline: "visits",
    currency: "USD",
    startsAt: new Date(quarterOf(reservedAt.getTime())),
    settled: 7n,
  };
  deepEqual((await spending.list({ limit: 9 })).items, [slice]);
}

async function pagesSlices({ open, read }: OpenedJournal): Promise<void> {
  const session = await open();
  for (const pipeline of ["a", "b", "c"]) {
    const wanted = [reservation(1n, { pipeline }), reservation(2n, { pipeline })];
    await session.spending.reserve(wanted, within(100n));
    await session.spending.settle(wanted.map(({ id, amount }) => ({ id, amount })));
  }
  const { spending } = await read();
  const pages = await pagesOf(async (request) => await spending.list(request), 2);
  const sums = new Map<string, bigint>();
  for (const { pipeline, settled } of pages.flat()) sums.set(pipeline, (sums.get(pipeline) ?? 0n) + settled);
  deepEqual(Object.fromEntries(sums), { a: 3n, b: 3n, c: 3n });
  const later = new Date(Date.now() + 24 * hourMs);
  deepEqual((await spending.list({ since: later, limit: 9 })).items, []);
}

async function addsFromAnother({ journal, open }: OpenedJournal): Promise<void> {
  if (journal.upkeep === undefined) return;
  const session = await open();
  await session.close();
  const startsAt = new Date(quarterOf(Date.now()));
  const slice: SpentSlice = { pipeline: "visits", currency: "USD", startsAt, settled: 50n };
  const standing = { ...reservation(20n), reservedAt: startsAt };
  const upkeep = await journal.upkeep(new AbortController().signal);
  try {
    for (const settled of [50n, 50n, 30n, 60n]) await upkeep.add.spending([{ ...slice, settled }]);
    for (let time = 0; time < 2; time += 1) await upkeep.add.reservations([standing]);
  } finally {
    await upkeep.close();
  }
  const next = await open("run-2");
  const { limits } = await next.spending.reserve([reservation(1n)], within(100n));
  deepEqual(sumsOf(limits), [["day", 60n, 21n]]);
}
