import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { BadRow, JournalReader, Page, PageRequest, PastRun, RunFilter } from "../../contracts/journal.ts";
import { fromExactText, toExactText } from "../../files/exact-text.ts";
import { findAnswer } from "./answers.ts";
import { Children } from "./children.ts";
import { contentsOf } from "./contents.ts";
import { asJournalError } from "./failure.ts";
import { Evaluations, Overrides, Watermarks } from "./decisions.ts";
import { prepareFind } from "./find-values.ts";
import { foundOf } from "./found-of.ts";
import { Leases } from "./leases.ts";
import { conditionOf, emptyPage, type Line, pageFrom } from "./paging.ts";
import { holderOf, isHeld, isThere, reading, toRunRecord } from "./reading.ts";
import { rowQuery, toKnownRow, usedIn } from "./rows.ts";
import { attemptsIn, runRowsIn, timelineIn, valuesIn } from "./run-detail.ts";
import { keyOfSink, versionOf } from "./schema.ts";
import { Spending } from "./spending.ts";
import { Work } from "./work.ts";

/**
 * Looks into the journal in a file, and changes nothing. Undefined where there is none yet.
 *
 * @throws {JournalError} if it is damaged, of a newer version or no journal
 */
export async function openReader(path: string): Promise<JournalReader | undefined> {
  const guarded = async <Result>(work: () => Result): Promise<Awaited<Result>> => {
    try {
      return await work();
    } catch (error) {
      throw asJournalError(path, error);
    }
  };
  const read = async <Result>(work: (database: DatabaseSync) => Result): Promise<Awaited<Result>> =>
    await guarded(() => reading(path, work));
  if (!(await guarded(async () => await isThere(path)))) return undefined;
  await read(() => {}); // fails here, not at the first question
  /** Of a journal that nobody has brought up to date yet, nothing is known that its version did not keep. */
  const list = async <Item>(version: number, work: (database: DatabaseSync) => Page<Item>): Promise<Page<Item>> =>
    await read((database) => (versionOf(database) < version ? emptyPage : work(database)));
  return {
    answers: {
      find: async (fingerprints) => await read((database) => foundOf(fingerprints, (one) => findAnswer(database, one))),
      findUsed: async (sink, pks) =>
        await read((database) => linesOf(database, sink, pks, (_, values) => usedIn(values.at(-1)) ?? undefined)),
    },
    rows: {
      find: async (sink, pks) => await read((database) => linesOf(database, sink, pks, toKnownRow)),
      writtenCount: async (sink) => await read((database) => countWritten(database, sink)),
    },
    children: {
      find: async (sink, pks) =>
        await read((database) => {
          if (versionOf(database) < 5) return new Map();
          const children = new Children(database);
          return foundOf(pks, (pk) => children.find(sink, pk));
        }),
    },
    runs: {
      list: async (request) => {
        const isJournalHeld = await guarded(async () => await isHeld(path));
        return await read((database) => runsIn(database, request, isJournalHeld));
      },
      count: async (filter) => await read((database) => countRuns(database, filter)),
      failures: async (runId, request) => await list(2, (database) => failuresIn(database, runId, request)),
      rows: async (runId, request) => await list(3, (database) => runRowsIn(database, runId, request)),
      attempts: async (runId, pk, request) => await list(3, (database) => attemptsIn(database, runId, pk, request)),
      timeline: async (runId, request) => await list(3, (database) => timelineIn(database, runId, request)),
      values: async (runId, request) => await list(3, (database) => valuesIn(database, runId, request)),
    },
    work: {
      list: async (request) => await list(3, (database) => new Work(database).list(request)),
      fingerprints: async (id, request) => await list(3, (database) => new Work(database).fingerprints(id, request)),
    },
    watermarks: { list: async (request) => await list(3, (database) => new Watermarks(database).list(request)) },
    evaluations: {
      list: async (request) => await list(3, (database) => new Evaluations(database).list(request)),
      find: async (id) =>
        await read((database) => (versionOf(database) < 3 ? undefined : new Evaluations(database).find(id))),
    },
    overrides: { list: async (request) => await list(3, (database) => new Overrides(database).list(request)) },
    leases: {
      list: async (runId, request) => await list(3, (database) => new Leases(database).list(runId, request)),
    },
    spending: {
      list: async (request) => await list(7, (database) => new Spending(database).list(request)),
      reservations: async (request) => await list(7, (database) => new Spending(database).reservations(request)),
    },
    contents: contentsOf(path, read),
    holder: async () => await guarded(async () => ((await isHeld(path)) ? holderOf(path) : undefined)),
    close: async () => {},
  };
}

/** The newest run is the one that holds the journal, where one does; any other that has not ended was interrupted. */
function runsIn(database: DatabaseSync, request: RunFilter & PageRequest, isJournalHeld: boolean): Page<PastRun> {
  const newest = Number(database.prepare("SELECT max(number) AS number FROM runs").get()?.["number"]);
  return pageFrom(database, { table: "runs", ...termsOf(request), order: "newest" }, request, ({ number, record }) => {
    const run = toRunRecord(record);
    const isAlive = isJournalHeld && number === newest;
    return run.status === "running" && !isAlive ? { ...run, status: "interrupted" } : run;
  });
}

function countRuns(database: DatabaseSync, filter: RunFilter): number {
  const { where, values } = termsOf(filter);
  return Number(database.prepare(`SELECT count(*) AS n FROM runs WHERE ${where}`).get(...values)?.["n"]);
}

function termsOf({ pipeline, since, idPrefix }: RunFilter): ReturnType<typeof conditionOf> {
  return conditionOf([
    ["record ->> '$.pipeline' = ?", pipeline],
    ["record ->> '$.startedAt' >= ?", since?.toISOString()],
    ["instr(run_id, ?) = 1", idPrefix],
  ]);
}

function failuresIn(database: DatabaseSync, runId: string, request: PageRequest): Page<BadRow> {
  const ofRun = { table: "failures", where: "run_id = ?", values: [runId], order: "oldest" } as const;
  return pageFrom(database, ofRun, request, toBadRow);
}

function toBadRow(line: Line): BadRow {
  const { position, pk, owns_key, step, error_code, error_message, retry_count, run_id, failed_at } = line;
  return {
    position: Number(position),
    pk: pk === null ? null : fromExactText(pk),
    ownsKey: owns_key === 1,
    step: step === null ? null : String(step),
    errorCode: String(error_code),
    errorMessage: String(error_message),
    retryCount: Number(retry_count),
    runId: String(run_id),
    failedAt: new Date(Number(failed_at)),
  };
}

/** By primary key, something of the lines that the table has of the rows. */
function linesOf<Found>(
  database: DatabaseSync,
  sink: string,
  pks: readonly string[],
  toFound: (pk: string, values: readonly SQLOutputValue[]) => Found | undefined,
): ReadonlyMap<string, Found> {
  const find = prepareFind(database, rowQuery(versionOf(database) >= 3));
  const key = keyOfSink(sink);
  return foundOf(pks, (pk) => {
    const values = find(key, toExactText(pk));
    return values === undefined ? undefined : toFound(pk, values);
  });
}

function countWritten(database: DatabaseSync, sink: string): number {
  const counting = database.prepare("SELECT count(*) AS n FROM rows WHERE sink = ? AND outcome = 'written'");
  return Number(counting.get(keyOfSink(sink))?.["n"]);
}
