import type { JournalSession } from "../contracts/journal.ts";
import type { Destination } from "../contracts/sink.ts";

/** By primary key, when the last of the sinks got the row: of rows that all of them have, as far as the journal knows. */
export async function writtenEverywhere(
  journal: Pick<JournalSession, "rows">,
  destinations: readonly Destination[],
  pks: readonly string[],
): Promise<ReadonlyMap<string, Date>> {
  const ofSinks = await Promise.all(destinations.map(async ({ sink }) => await journal.rows.find(sink.identity, pks)));
  const found = new Map<string, Date>();
  for (const pk of pks) {
    const times = ofSinks.flatMap((rows) => rows.get(pk)?.completedAt ?? []);
    if (times.length === ofSinks.length) found.set(pk, new Date(Math.max(...times.map((time) => time.getTime()))));
  }
  return found;
}
