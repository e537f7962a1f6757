import type { SpentSlice } from "../contracts/journal-spending.ts";
import type { JournalUpkeep } from "../contracts/journal-upkeep.ts";
import type { Look } from "./look.ts";
import { pagesOf } from "./runs.ts";

interface CopyingSpending {
  readonly from: Pick<Look, "spending"> & { readonly part: { readonly pipeline: string } };
  readonly to: {
    readonly upkeep: Pick<JournalUpkeep, "add">;
    readonly look: Pick<Look, "spending">;
    readonly part: { readonly pipeline: string };
  };
  readonly signal: AbortSignal;
  /** Counts what is copied, or stays as it is. True if it is to be copied. */
  readonly finding: { readonly add: (isCopied: boolean) => boolean };
}

/**
 * Copies what a pipeline has spent, and reserved. Money that the other journal knows of the same pipeline and time stays where it is more. A
 * reservation that was settled there after an earlier copy is there again: it counts once too often, never too seldom.
 */
export async function copySpending(copying: CopyingSpending): Promise<void> {
  await copySlices(copying);
  await copyReservations(copying);
}

async function copySlices({ from, to: { upkeep, look, part }, signal, finding }: CopyingSpending): Promise<void> {
  const there = new Map<string, bigint>();
  for await (const page of pagesOf(look.spending.list))
    for (const slice of page) there.set(placeOf(slice), slice.settled);
  for await (const page of pagesOf(from.spending.list)) {
    signal.throwIfAborted();
    const slices = page
      .filter(({ pipeline }) => pipeline === from.part.pipeline)
      .map(({ currency, startsAt, settled }) => ({ pipeline: part.pipeline, currency, startsAt, settled }));
    await upkeep.add.spending(slices.filter((each) => finding.add((there.get(placeOf(each)) ?? -1n) < each.settled)));
  }
}

function placeOf({ pipeline, currency, startsAt }: SpentSlice): string {
  return JSON.stringify([pipeline, currency, startsAt]);
}

async function copyReservations({ from, to: { upkeep, look, part }, signal, finding }: CopyingSpending): Promise<void> {
  const there = new Set<string>();
  for await (const page of pagesOf(look.spending.reservations)) for (const { id } of page) there.add(id);
  const { pipeline } = from.part;
  for await (const page of pagesOf(async (request) => await from.spending.reservations({ pipeline, ...request }))) {
    signal.throwIfAborted();
    const missing = page.filter(({ id }) => finding.add(!there.has(id)));
    await upkeep.add.reservations(missing.map((each) => Object.assign(each, { pipeline: part.pipeline })));
  }
}
