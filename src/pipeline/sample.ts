import { hash } from "node:crypto";
import type { AnySource, SourceRow } from "../contracts/source.ts";
import { sourceWith } from "./source-with.ts";

/**
 * A source that gives a random sample of the rows of another, in that one's order. Each row has a place in a lottery, which
 * is a hash of the seed and its position, and the `size` lowest places win: every sample is equally likely, and the same seed
 * gives the same rows. The whole source is read; `size` rows are in memory.
 */
export function sampleOf(source: AnySource, size: number, seed: number): AnySource {
  return sourceWith(source, async function* read(context) {
    const winners: { readonly row: SourceRow; readonly place: string }[] = [];
    for await (const row of source.read(context)) {
      const place = hash("sha256", `${seed}\n${row.position}`);
      const last = winners.at(-1);
      if (winners.length === size && last !== undefined && place >= last.place) continue;
      winners.splice(indexFor(place, winners), 0, { row, place });
      if (winners.length > size) winners.pop();
    }
    yield* winners.map(({ row }) => row).toSorted((one, other) => one.position - other.position);
  });
}

/** The index at which a place keeps the winners sorted. */
function indexFor(place: string, winners: readonly { readonly place: string }[]): number {
  const index = winners.findIndex((other) => place < other.place);
  return index === -1 ? winners.length : index;
}
