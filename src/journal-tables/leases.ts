import type { Lease, LeasedRange } from "../contracts/journal-work.ts";
import { groupsOf } from "./changes.ts";
import { toRecord } from "./texts.ts";
import type { Transaction } from "./store.ts";
import { type Line, tables } from "./tables.ts";

/** Undefined while another owner holds the range, and where it is done. */
export async function claim(
  transaction: Transaction,
  wanted: Pick<Lease, "runId" | "range" | "owner">,
  forMs: number,
): Promise<Lease | undefined> {
  const known = await rangeOf(transaction, wanted);
  if (known?.isDone === true) return undefined;
  const isOthers = known !== undefined && known.owner !== null && known.owner !== wanted.owner;
  if (isOthers && Number(known.expiresAt) > Number(transaction.now)) return undefined;
  const { number = 0, progress = null } = known ?? {};
  const lease = { ...wanted, number: number + 1, expiresAt: after(transaction, forMs), progress };
  await store(transaction, { ...lease, isDone: false });
  return lease;
}

/** Undefined where the lease is lost. */
export async function renew(transaction: Transaction, lease: Lease, forMs: number): Promise<Lease | undefined> {
  if (!(await isHeld(transaction, lease))) return undefined;
  const renewed = { ...lease, expiresAt: after(transaction, forMs) };
  await store(transaction, { ...renewed, isDone: false });
  return renewed;
}

/** Undefined where the lease is lost. */
export async function release(transaction: Transaction, lease: Lease, isDone: boolean): Promise<true | undefined> {
  if (!(await isHeld(transaction, lease))) return undefined;
  await store(transaction, { ...lease, owner: null, expiresAt: null, isDone });
  return true;
}

export async function isHeld(transaction: Transaction, lease: Lease): Promise<boolean> {
  const known = await rangeOf(transaction, lease);
  return known !== undefined && known.owner === lease.owner && known.number === lease.number;
}

export function toRange({ record }: Line): LeasedRange {
  const range: LeasedRange = JSON.parse(String(record)); // as it was saved
  return { ...range, expiresAt: range.expiresAt === null ? null : new Date(range.expiresAt) };
}

function after({ now }: Transaction, forMs: number): Date {
  return new Date(now.getTime() + forMs);
}

async function rangeOf(
  transaction: Transaction,
  { runId, range }: Pick<Lease, "runId" | "range">,
): Promise<LeasedRange | undefined> {
  const key = { run_id: runId, range };
  const [line] = await transaction.find(tables.leases, tables.leases.key, [key]);
  return line === undefined ? undefined : toRange(line);
}

async function store(transaction: Transaction, range: LeasedRange): Promise<void> {
  const { runId, range: name, owner, number, expiresAt, progress, isDone } = range;
  const record = toRecord({ runId, range: name, owner, number, expiresAt, progress, isDone });
  const line = { run_id: runId, range: name, record };
  for (const group of groupsOf([{ kind: "put", table: tables.leases, line }])) await transaction.apply(group);
}
