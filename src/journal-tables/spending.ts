import type {
  JournalSpending,
  LimitState,
  OpenReservation,
  Reserved,
  Settlement,
  SpendingLook,
  SpentSlice,
} from "../contracts/journal-spending.ts";
import { granted, quarterOf } from "../spending/granted.ts";
import { type Change, groupsOf, keyText } from "./changes.ts";
import type { GatheredSaves } from "./gathered-saves.ts";
import { pageIn } from "./records.ts";
import type { Looks, SumQuery, Transaction } from "./store.ts";
import { type Line, tables } from "./tables.ts";

/** The money that runs spend, changed by one transaction at a time: each has the purse's line locked until its commit. */
export function spendingOf(saves: GatheredSaves, looks: Looks): JournalSpending {
  return {
    reserve: async (wanted, limitsAt) =>
      (await saves.save({
        work: async (transaction) => await reserve(transaction, wanted, limitsAt),
        isLast: true,
      })) as Reserved, // as `reserve` gave it
    settle: gatheredSettlements(saves),
    reservations: spendingIn(looks).reservations,
  };
}

export function spendingIn(looks: Looks): SpendingLook {
  return {
    list: async ({ since, ...request }) => {
      const where = since === undefined ? [] : [["starts_at", ">=", since.getTime()] as const];
      return await pageIn(looks, tables.spending, { where, order: "rising", ...request }, toSlice);
    },
    reservations: async ({ pipeline, since, ...request }) => {
      const where = [
        ...(pipeline === undefined ? [] : [["pipeline", "=", pipeline] as const]),
        ...(since === undefined ? [] : [["reserved_at", ">=", since.getTime()] as const]),
      ];
      return await pageIn(looks, tables.reservations, { where, order: "rising", ...request }, toReservation);
    },
  };
}

/** Settlements of one turn of the event loop, and of all that waits for a transaction then, are made at once. */
function gatheredSettlements(saves: GatheredSaves): JournalSpending["settle"] {
  let gathered: { readonly settlements: Settlement[]; readonly saved: Promise<unknown> } | undefined;
  const begin = (): NonNullable<typeof gathered> => {
    const settlements: Settlement[] = [];
    const work = async (transaction: Transaction): Promise<void> => {
      gathered = undefined; // those that come from now on are for the next transaction, also where this one is tried again
      await settle(transaction, settlements);
    };
    const saved = saves.save({ work, isLast: true }).finally(() => {
      if (gathered?.settlements === settlements) gathered = undefined; // it failed before its work began
    });
    return { settlements, saved };
  };
  return async (settlements) => {
    gathered ??= begin();
    gathered.settlements.push(...settlements);
    await gathered.saved;
  };
}

const purseLine = { name: "purse" };

/** Sessions that change what is spent do it one after the other, from here to their commit. */
async function lockPurse({ now, apply }: Transaction): Promise<void> {
  const line = { ...purseLine, changed_at: now.getTime() };
  for (const group of groupsOf([{ kind: "put", table: tables.purse, line }])) await apply(group);
}

async function reserve(
  transaction: Transaction,
  ...[wanted, limitsAt]: Parameters<JournalSpending["reserve"]>
): Promise<Reserved> {
  await lockPurse(transaction);
  const { now: reservedAt, sums, apply } = transaction;
  const currency = wanted[0]?.currency ?? "";
  const known = limitsAt(reservedAt);
  const queries = known.flatMap(({ from, until }): readonly SumQuery[] => [
    { table: tables.spending, column: "settled", where: within("starts_at", currency, from, until) },
    { table: tables.reservations, column: "amount", where: within("reserved_at", currency, from, until) },
  ]);
  const found = await sums(queries);
  const limits: readonly LimitState[] = known.map((limit, index) => {
    const [settled = 0n, reserved = 0n] = found.slice(2 * index);
    return { limit, settled, reserved };
  });
  const result = granted(wanted, limits);
  const changes = wanted.slice(0, result.count).map((each) => reservationChange({ ...each, reservedAt }));
  for (const group of groupsOf(changes)) await apply(group);
  return { reservedAt, ...result };
}

function within(column: string, currency: string, from: Date, until: Date): SumQuery["where"] {
  return [
    ["currency", "=", currency],
    [column, ">=", from.getTime()],
    [column, "<=", until.getTime() - 1],
  ];
}

async function settle(transaction: Transaction, settlements: readonly Settlement[]): Promise<void> {
  await lockPurse(transaction);
  const { find, apply } = transaction;
  const amounts = new Map(settlements.map(({ id, amount }) => [id, amount]));
  const ids = [...amounts.keys()].map((id) => ({ id }));
  const open = await find(tables.reservations, tables.reservations.key, ids);
  const slices = new Map<string, SpentSlice>();
  for (const line of open) {
    const [pipeline, currency] = [String(line["pipeline"]), String(line["currency"])];
    const slice = { pipeline, currency, startsAt: new Date(quarterOf(Number(line["reserved_at"]))) };
    const key = placeOf(slice);
    const settled = (slices.get(key)?.settled ?? 0n) + (amounts.get(String(line["id"])) ?? 0n);
    slices.set(key, { ...slice, settled });
  }
  const removed = open.map(({ id = null }): Change => ({ kind: "remove", table: tables.reservations, line: { id } }));
  const booked = await sliceChanges(transaction, [...slices.values()], (before, more) => before + more);
  for (const group of groupsOf([...removed, ...booked])) await apply(group);
}

/** Changes slices by what is there and what is given; `transaction` has the purse, or nobody else has the journal. */
export async function sliceChanges(
  { find }: Pick<Transaction, "find">,
  slices: readonly SpentSlice[],
  merge: (before: bigint, given: bigint) => bigint,
): Promise<readonly Change[]> {
  const { spending } = tables;
  const known = await find(spending, spending.key, slices.map(sliceKey));
  const before = new Map(known.map((line) => [keyText(line, spending.key), BigInt(String(line["settled"]))]));
  return slices.map((slice) => {
    const settled = merge(before.get(placeOf(slice)) ?? 0n, slice.settled);
    return { kind: "put", table: spending, line: { ...sliceKey(slice), settled: String(settled) } };
  });
}

function sliceKey({ currency, startsAt, pipeline }: Omit<SpentSlice, "settled">): Line {
  return { currency, starts_at: startsAt.getTime(), pipeline };
}

function placeOf(slice: Omit<SpentSlice, "settled">): string {
  return keyText(sliceKey(slice), tables.spending.key);
}

export function reservationChange(reservation: OpenReservation): Change {
  const { id, pipeline, runId, currency, reservedAt, amount, fingerprint } = reservation;
  const line = {
    id,
    pipeline,
    run_id: runId,
    currency,
    reserved_at: reservedAt.getTime(),
    amount: String(amount),
    fingerprint,
  };
  return { kind: "put", table: tables.reservations, line };
}

function toSlice({ pipeline, currency, starts_at, settled }: Line): SpentSlice {
  const [name, of, startsAt] = [String(pipeline), String(currency), new Date(Number(starts_at))];
  return { pipeline: name, currency: of, startsAt, settled: BigInt(String(settled)) };
}

function toReservation({ id, pipeline, run_id, currency, reserved_at, amount, fingerprint }: Line): OpenReservation {
  return {
    id: String(id),
    pipeline: String(pipeline),
    runId: String(run_id),
    currency: String(currency),
    amount: BigInt(String(amount)),
    fingerprint: String(fingerprint),
    reservedAt: new Date(Number(reserved_at)),
  };
}
