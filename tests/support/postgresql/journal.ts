import { randomBytes } from "node:crypto";
import type { JournalSession } from "../../../src/contracts/journal.ts";
import { PostgreSQLJournal, type PostgreSQLJournalOptions } from "../../../src/journals/postgresql.ts";
import { answerOf, runAttempt } from "../../../src/testing/journal-samples.ts";
import type { TestDatabase } from "./database.ts";

type Options = PostgreSQLJournalOptions & { readonly connectionString: string; readonly schema: string };

/** A journal in a schema of its own. */
export async function journalIn(
  { url, run }: Pick<TestDatabase, "url" | "run">,
  given: { readonly schema?: string; readonly timeoutMs?: number } = {},
): Promise<{ readonly journal: PostgreSQLJournal; readonly options: Options }> {
  const options = { connectionString: url(), schema: `journal_${randomBytes(4).toString("hex")}`, ...given };
  const journal = new PostgreSQLJournal(options);
  await run(journal.createStatements());
  return { journal, options };
}

/** The same journal by another way. */
export function journalBehind({ port }: { readonly port: number }, options: Options): PostgreSQLJournal {
  const url = new URL(options.connectionString);
  url.port = `${port}`;
  return new PostgreSQLJournal({ ...options, connectionString: url.href });
}

export const noSignal = (): AbortSignal => new AbortController().signal;

/** As many answers, and attempts of row 1 of run-1. */
export async function saveMany(session: JournalSession, count: number): Promise<void> {
  const saves = Array.from({ length: count }, async (_, index) => {
    await session.answers.save(index.toString(16).padStart(64, "0"), answerOf(`${index}`));
    await session.runs.saveAttempts("run-1", [runAttempt({ waitMs: index })]);
  });
  await Promise.all(saves);
}
