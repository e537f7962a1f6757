import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { JournalSession } from "../../contracts/journal.ts";
import type { JournalUpkeep } from "../../contracts/journal-upkeep.ts";
import { toExactText } from "../../files/exact-text.ts";
import { asJournalError } from "./failure.ts";
import { isReplaced } from "./contents.ts";
import { Rows } from "./rows.ts";
import { openAlone, type OpenSession } from "./session.ts";
import { Spending } from "./spending.ts";

/** So many lines are removed in one transaction, at most: each of them is in the log until it is committed. */
const batchSize = 10_000;

/**
 * Opens the journal in a file for more than a run does; locked for this process.
 *
 * @throws {JournalError} if it is damaged, of a newer version or no journal, or its folder does not let it be written
 * @throws {JournalInUseError} if a run holds it
 */
export async function openUpkeep(
  path: string,
  busyTimeoutMs: number,
  signal: AbortSignal,
): Promise<JournalSession & JournalUpkeep> {
  const opened = await openAlone(path, busyTimeoutMs, signal);
  return { ...opened.session, ...upkeepOf(path, opened) };
}

function upkeepOf(path: string, opened: OpenSession): JournalUpkeep {
  const { database, save } = opened;
  const rows = new Rows(database);
  const spending = new Spending(database);
  const removeRow = ["rows", "children"].map((table) =>
    database.prepare(`DELETE FROM ${table} WHERE sink = ? AND pk = ?`),
  );
  const removeWork = ["submitted_fingerprints WHERE work", "submitted_work WHERE id"].map((lines) =>
    database.prepare(`DELETE FROM ${lines} = ?`),
  );
  const removeEvaluation = database.prepare("DELETE FROM evaluations WHERE id = ?");
  const removeRunPart = runRemoval(database);
  return {
    add: {
      failures: async (failures) => await save(() => failures.forEach((each) => rows.addFailure(each))),
      failedRows: async (sink, failed) =>
        await save(() => failed.forEach(({ pk, runId, errorCode }) => rows.setFailed(sink, pk, runId, errorCode))),
      spending: async (slices) => await save(() => slices.forEach((slice) => spending.put(slice))),
      reservations: async (reservations) => await save(() => reservations.forEach((each) => spending.add(each))),
    },
    remove: {
      rows: async (sinkKey, pks) => {
        const sink = Buffer.from(sinkKey, "hex");
        await save(() => pks.forEach((pk) => removeRow.forEach((each) => each.run(sink, toExactText(pk)))));
      },
      partOfRun: async (runId) => {
        let count = 0;
        await save(() => {
          count = removeRunPart(runId);
        });
        return count < batchSize;
      },
      work: async (id) => await save(() => removeWork.forEach((each) => each.run(id))),
      evaluations: async (ids) => await save(() => ids.forEach((id) => removeEvaluation.run(id))),
    },
    reclaim: async (signal) => await reclaim(path, opened, signal),
  };
}

function removalOfSome(table: string, condition: string): string {
  return `DELETE FROM ${table} WHERE number IN (SELECT number FROM ${table} WHERE ${condition} LIMIT ${batchSize})`;
}

/** Removes what is known of a run, up to so many lines of each kind, and its record once nothing else is left. Gives the most lines of one kind. */
function runRemoval(database: DatabaseSync): (runId: string) => number {
  const ofRun = "run = (SELECT number FROM run_numbers WHERE run_id = ?)";
  const parts = [
    removalOfSome("attempts", ofRun),
    removalOfSome("run_rows", ofRun),
    removalOfSome("failures", "run_id = ?"),
    removalOfSome("leases", "run_id = ?"),
    `DELETE FROM time_slices WHERE ${ofRun}`,
    `DELETE FROM value_counts WHERE ${ofRun}`,
  ].map((sql) => database.prepare(sql));
  const lastParts = ["run_numbers", "runs"].map((table) => database.prepare(`DELETE FROM ${table} WHERE run_id = ?`));
  return (runId) => {
    const most = Math.max(...parts.slice(0, 4).map((part) => Number(part.run(runId).changes)));
    if (most === batchSize) return most;
    for (const part of [...parts.slice(4), ...lastParts]) part.run(runId);
    return most;
  };
}

/** Lines that nobody finds, in ranges: the statement for the last line of a range, and the one that removes them between two places. */
const leftovers: readonly (readonly [end: string, remove: string])[] = [
  // Answers in whose place a newer one is.
  [
    `SELECT 0 AS place, number FROM answers WHERE ? IS NOT NULL AND number > ? ORDER BY number LIMIT 1 OFFSET ${batchSize}`,
    `DELETE FROM answers WHERE ?1 IS NOT NULL AND number > ?2 AND ?3 IS NOT NULL AND number <= ?4 AND ${isReplaced}`,
  ],
  // Places in the index whose answer is gone.
  [
    `SELECT beginning AS place, answer AS number FROM fingerprints WHERE (beginning, answer) > (?, ?) ORDER BY 1, 2 LIMIT 1 OFFSET ${batchSize}`,
    `DELETE FROM fingerprints WHERE (beginning, answer) > (?1, ?2) AND (beginning, answer) <= (?3, ?4)
      AND NOT EXISTS (SELECT 1 FROM answers WHERE number = answer)`,
  ],
];

type Place = readonly [SQLInputValue, SQLInputValue];
const first: Place = [Buffer.alloc(0), 0];
const last: Place = [Buffer.alloc(9, 0xff), Number.MAX_SAFE_INTEGER];

async function reclaim(path: string, { database, save }: OpenSession, signal: AbortSignal): Promise<void> {
  for (const [endQuery, removal] of leftovers) {
    const [findEnd, remove] = [database.prepare(endQuery), database.prepare(removal)];
    /** Removes what lies between a place and the end of the range that begins there, and gives that end. */
    const removeFrom = async (start: Place): Promise<Place | undefined> => {
      let end: Place | undefined;
      await save(() => {
        const line = findEnd.get(...start);
        end = line && [line["place"] ?? null, line["number"] ?? null];
        remove.run(...start, ...(end ?? last));
      });
      return end;
    };
    for (let from = await removeFrom(first); from !== undefined; from = await removeFrom(from)) signal.throwIfAborted();
  }
  signal.throwIfAborted();
  try {
    if (database.isTransaction) database.exec("COMMIT"); // of what was read
    if (hasRoomToGive(database)) database.exec("VACUUM");
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (error) {
    throw asJournalError(path, error);
  }
}

/** To write the file anew takes a while, and is done where something was removed, or an earlier removal was killed before that. */
function hasRoomToGive(database: DatabaseSync): boolean {
  const line = database
    .prepare(
      "SELECT total_changes() AS changes, freelist_count, page_count FROM pragma_freelist_count, pragma_page_count",
    )
    .get();
  return Number(line?.["changes"]) > 0 || Number(line?.["freelist_count"]) > Number(line?.["page_count"]) / 100;
}
