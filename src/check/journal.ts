import { withinLimit } from "../engine/time-limit.ts";
import type { Journal, PastRun } from "../contracts/journal.ts";
import { JournalInUseError } from "../errors/journal.ts";
import type { Findings } from "./report.ts";

export interface JournalFacts {
  /** The number of rows written to the sink; 0 where the sink is not known. */
  readonly writtenCount: number;
  readonly lastRun: PastRun | undefined;
  /** The run that holds it, in words; undefined where none does. */
  readonly holder: string | undefined;
}

/** Looks into the journal as it is. Undefined where there is none. */
export async function checkJournal(
  findings: Findings,
  journal: Journal | null,
  sinkIdentity: string | undefined,
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
      return await readJournal(journal, sinkIdentity);
    });
  });
  if (facts === undefined) return undefined;
  if (facts === null) {
    findings.add("files", "journal", "ok", `${identity}, which is not there yet`);
    return undefined;
  }
  const { writtenCount, lastRun, holder } = facts;
  const rows = `${writtenCount} ${writtenCount === 1 ? "row" : "rows"} written to this sink`;
  const last = lastRun === undefined ? "no run yet" : `last run ${lastRun.startedAt.toISOString()}, ${lastRun.status}`;
  findings.add("files", "journal", "ok", `${identity}: ${rows}; ${last}`);
  if (holder !== undefined) findings.addError("files", "journal", new JournalInUseError(identity, holder));
  return facts;
}

async function readJournal(journal: Journal, sinkIdentity: string | undefined): Promise<JournalFacts | null> {
  const reader = await journal.reader();
  if (reader === undefined) return null;
  try {
    const { items } = await reader.runs.list({ limit: 1 });
    const writtenCount = sinkIdentity === undefined ? 0 : await reader.rows.writtenCount(sinkIdentity);
    return { writtenCount, lastRun: items[0], holder: await reader.holder() };
  } finally {
    await reader.close();
  }
}
