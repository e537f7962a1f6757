import type { AnySource, ReadContext, SourceRow } from "../contracts/source.ts";
import { keyAsGiven } from "../engine/primary-key.ts";
import { sourceWith } from "../pipeline/source-with.ts";
import type { RowPlace } from "./open-requests.ts";

/**
 * A source that gives chosen rows of another, as they are now and in the order of `places`: found by key, or by reading the source once more
 * where it can't find them. A row that is not there any more is left out; its place is not taken by another.
 */
export function rowsAt(source: AnySource, places: readonly RowPlace[]): AnySource {
  return sourceWith(source, async function* read(context) {
    const rows = (await foundByKey(source, places, context)) ?? (await foundByReading(source, places, context));
    for (const place of places) {
      const row = rows.get(place.position);
      if (row !== undefined) yield { ...row, position: place.position };
    }
  });
}

/** Rows by the position of their place. */
type RowsByPosition = ReadonlyMap<number, SourceRow>;

async function foundByKey(
  source: AnySource,
  places: readonly RowPlace[],
  context: ReadContext,
): Promise<RowsByPosition | undefined> {
  const positions = new Map(places.flatMap(({ key, position }) => (key === undefined ? [] : [[key, position]])));
  if (positions.size < places.length) return undefined;
  const found = await source.find?.([...positions.keys()], context);
  if (found === undefined) return undefined;
  const rows = new Map<number, SourceRow>();
  for await (const row of found) {
    const position = positions.get(keyOf(row, source) ?? "");
    if (position !== undefined) rows.set(position, row);
  }
  return rows;
}

async function foundByReading(
  source: AnySource,
  places: readonly RowPlace[],
  context: ReadContext,
): Promise<RowsByPosition> {
  const wanted = new Map(places.map((place) => [place.position, place]));
  const rows = new Map<number, SourceRow>();
  for await (const row of source.read(context)) {
    const place = wanted.get(row.position);
    if (place !== undefined && keyOf(row, source) === place.key) rows.set(row.position, row);
    if (rows.size === wanted.size) break;
  }
  return rows;
}

function keyOf(row: SourceRow, { primaryKeyColumn }: AnySource): string | undefined {
  return "error" in row ? undefined : keyAsGiven(row.raw, primaryKeyColumn);
}
