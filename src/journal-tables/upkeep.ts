import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { JournalSession } from "../contracts/journal.ts";
import type { JournalUpkeep } from "../contracts/journal-upkeep.ts";
import { JournalInUseError } from "../errors/journal.ts";
import { type Change, type ChangeGroup, groupsOf } from "./changes.ts";
import type { Ask, JournalDatabase, LockConnection } from "./database.ts";
import { asJournalError } from "./held-store.ts";
import { journalLock, noticeMs } from "./lock.ts";
import { addedFailures, failedRowChange } from "./rows.ts";
import { requireSchema } from "./schema.ts";
import { sessionOf } from "./session.ts";
import { applyIn, findIn, looksOf, nameOf, removeUpTo, sumsIn } from "./statements.ts";
import { reservationChange, sliceChanges } from "./spending.ts";
import type { Store } from "./store.ts";
import { tables } from "./tables.ts";
import { keyHash } from "./texts.ts";

/** So many lines are removed in one transaction, at most. */
const batchSize = 5_000;

/**
 * Opens the journal for more than a run does: no run of any pipeline has it meanwhile. All goes by the connection that has the lock, so that
 * nothing can be changed without it.
 *
 * @throws {JournalInUseError} if a run has it
 */
export async function openUpkeep(
  database: JournalDatabase,
  signal: AbortSignal,
): Promise<JournalSession & JournalUpkeep> {
  const opened = await database.open(signal);
  let connection: LockConnection | undefined;
  const close = async (): Promise<void> => {
    await connection?.end();
    await opened.close();
  };
  try {
    connection = await opened.lockConnection(signal);
    connection.onceGone(() => {}); // what is asked next says so
    await requireSchema(connection.ask, database);
    await takeJournal(database, connection, signal);
  } catch (error) {
    await close();
    signal.throwIfAborted();
    throw asJournalError(database, error);
  }
  const ask = inTurn(connection.ask);
  const use = async <Result>(work: (ask: Ask) => Promise<Result>): Promise<Result> => {
    try {
      return await work(ask);
    } catch (error) {
      throw asJournalError(database, error);
    }
  };
  const applyGroups = async (groups: readonly ChangeGroup[]): Promise<void> => {
    for (const group of groups) await use(async () => await applyIn(ask, database, group));
  };
  const apply = async (changes: readonly Change[]): Promise<void> => await applyGroups(groupsOf(changes));
  const store: Store = {
    ...looksOf(database, use),
    session: randomUUID(),
    save: async (_, groups) => await applyGroups(groups),
    transact: async (_, work) =>
      await use(async () => {
        const find: Store["find"] = async (table, by, keys) => await findIn(ask, database, table, by, keys);
        const sums = sumsIn.bind(undefined, ask, database);
        const applyGroup = applyIn.bind(undefined, ask, database);
        return await work({ now: new Date(), find, sums, apply: applyGroup });
      }),
    close,
  };
  return { ...sessionOf(database.identity, store), ...upkeepOf(database, store, { use, apply }) };
}

/** Not every driver lets two things be asked of one connection at a time. */
function inTurn(ask: Ask): Ask {
  let last: Promise<unknown> = Promise.resolve();
  return async (sql, values) => {
    const asked = last.then(async () => await ask(sql, values));
    last = Promise.allSettled([asked]);
    return await asked;
  };
}

/** Of runs that have lost their connections, and have not noticed it yet, nothing is saved any more. */
async function takeJournal(database: JournalDatabase, connection: LockConnection, signal: AbortSignal): Promise<void> {
  const endsAt = performance.now() + noticeMs;
  while (!(await connection.tryToLock(journalLock(database), "alone"))) {
    if (performance.now() > endsAt) {
      const [line] = await looksOf(database, async (work) => await work(connection.ask)).held();
      throw new JournalInUseError(database.identity, String(line?.["holder"] ?? "another process"));
    }
    await setTimeout(50, undefined, { signal });
  }
  const epoch = database.dialect.quote("epoch");
  await connection.ask(`UPDATE ${nameOf(database, tables.pipelines)} SET ${epoch} = ${epoch} + 1`);
}

interface Doing {
  readonly use: <Result>(work: (ask: Ask) => Promise<Result>) => Promise<Result>;
  readonly apply: (changes: readonly Change[]) => Promise<void>;
}

function upkeepOf(database: JournalDatabase, store: Store, { use, apply }: Doing): JournalUpkeep {
  /** Removes the first lines of a run, in the order of a column. True if there are no more. */
  const removeFirst = async (table: (typeof tables)[keyof typeof tables], runId: string, by: string) => {
    const where = [["run_id", "=", runId]] as const;
    const query = { where, order: "rising", by, columns: [by], limit: batchSize } as const;
    const lines = await store.page(table, query);
    const last = lines.at(-1)?.[by] ?? null;
    if (last !== null) await use(async (ask) => await removeUpTo(ask, database, table, { runId, by, last }));
    return lines.length < batchSize;
  };
  return {
    add: {
      failures: async (rows) => await apply(addedFailures(rows)),
      failedRows: async (sink, rows) => await apply(rows.map((row) => failedRowChange(sink, row))),
      spending: async (slices) =>
        await apply(await sliceChanges(store, slices, (before, given) => (before > given ? before : given))),
      reservations: async (reservations) => await apply(reservations.map(reservationChange)),
    },
    remove: {
      rows: async (sinkKey, pks) =>
        await apply(
          [tables.rows, tables.children].flatMap((table) =>
            pks.map((pk) => ({ kind: "remove", table, line: { sink: sinkKey, row_key: keyHash(pk) } })),
          ),
        ),
      partOfRun: async (runId) => {
        if (!(await removeFirst(tables.attempts, runId, "row_key"))) return false;
        if (!(await removeFirst(tables.runRows, runId, "number"))) return false;
        if (!(await removeFirst(tables.failures, runId, "number"))) return false;
        const rest = [tables.timeSlices, tables.valueCounts, tables.leases, tables.runs];
        await apply(rest.map((table) => ({ kind: "remove", table, line: { run_id: runId } })));
        return true;
      },
      work: async (id) =>
        await apply([
          { kind: "remove", table: tables.workFingerprints, line: { work: id } },
          { kind: "remove", table: tables.work, line: { id } },
        ]),
      evaluations: async (ids) =>
        await apply(ids.map((id) => ({ kind: "remove", table: tables.evaluations, line: { id } }))),
    },
  };
}
