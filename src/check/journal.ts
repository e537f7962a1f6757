import { withinLimit } from "../engine/time-limit.ts";
import type { Journal, PastRun } from "../contracts/journal.ts";
import { JournalInUseError } from "../errors/journal.ts";
import type { Findings } from "./report.ts";

export interface JournalFacts {
  /** By sink, the number of rows that were written there. */
  readonly writtenCounts: ReadonlyMap<string, number>;
  readonly lastRun: PastRun | undefined;
  /** The run that holds it, in words; undefined where none does. */
  readonly holder: string | undefined;
}

/** Looks into the journal as it is. Undefined where there is none. */
export async function checkJournal(
  findings: Findings,
  journal: Journal | null,
  sinks: readonly string[],
  { limitMs, signal }: { readonly limitMs: number; readonly signal: AbortSignal },
): Promise<JournalFacts | undefined> {
  if (journal === null) {
    findings.add("files", "journal", "ok", "off: no answer is kept, and a run that stops can't be resumed");
    return undefined;
  }
  const { identity } = journal;
  const facts = await findings.tryCheck("files", "journal", async () => {
    const limit = {
      code: "JOURNAL_FAILED",
      what: `${journal.name}: preflight`,
      option: "openTimeoutMs",
      limitMs,
    } as const;
    return await withinLimit({ ...limit, signal }, async (inTime) => {
      await journal.preflight?.(inTime);
      return await readJournal(journal, sinks);
    });
  });
  if (facts === undefined) return undefined;
  if (facts === null) {
    findings.add("files", "journal", "ok", `${identity}, which is not there yet`);
    return undefined;
  }
  const { writtenCounts, lastRun, holder } = facts;
  const counts = [...writtenCounts.values()].map((count) => `${count} ${count === 1 ? "row" : "rows"}`);
  const rows = `${counts.join(" and ")} written to ${counts.length === 1 ? "this sink" : "these sinks"}`;
  const last = lastRun === undefined ? "no run yet" : `last run ${lastRun.startedAt.toISOString()}, ${lastRun.status}`;
  findings.add("files", "journal", "ok", `${identity}: ${rows}; ${last}`);
  if (holder !== undefined) findings.addError("files", "journal", new JournalInUseError(identity, holder));
  return facts;
}

async function readJournal(journal: Journal, sinks: readonly string[]): Promise<JournalFacts | null> {
  const reader = await journal.reader();
  if (reader === undefined) return null;
  try {
    const { items } = await reader.runs.list({ limit: 1 });
    const writtenCounts = new Map<string, number>();
    for (const sink of sinks) writtenCounts.set(sink, await reader.rows.writtenCount(sink));
    return { writtenCounts, lastRun: items[0], holder: await reader.holder() };
  } finally {
    await reader.close();
  }
}
