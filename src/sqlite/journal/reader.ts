import type { DatabaseSync, SQLInputValue, SQLOutputValue } from "node:sqlite";
import type {
  BadRow,
  JournalReader,
  KnownRow,
  Page,
  PageRequest,
  PastRun,
  RunFilter,
} from "../../contracts/journal.ts";
import { fromExactText, toExactText } from "../../files/exact-text.ts";
import { asJournalError } from "./failure.ts";
import { holderOf, isHeld, isThere, reading, toRunRecord } from "./reading.ts";
import { toKnownRow } from "./rows.ts";
import { keyOfSink, versionOf } from "./schema.ts";

type Line = Readonly<Record<string, SQLOutputValue>>;

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
  return {
    runs: async (request) => {
      const isJournalHeld = await guarded(async () => await isHeld(path));
      return await read((database) => runsIn(database, request, isJournalHeld));
    },
    runCount: async (filter) => await read((database) => countRuns(database, filter)),
    failures: async (runId, request) => await read((database) => failuresIn(database, runId, request)),
    rows: async (sink, pks) => await read((database) => rowsIn(database, sink, pks)),
    writtenCount: async (sink) => await read((database) => countWritten(database, sink)),
    holder: async () => await guarded(async () => ((await isHeld(path)) ? holderOf(path) : undefined)),
    close: async () => {},
  };
}

/** The newest run is the one that holds the journal, where one does; any other that has not ended was interrupted. */
function runsIn(database: DatabaseSync, request: RunFilter & PageRequest, isJournalHeld: boolean): Page<PastRun> {
  const { limit, from } = request;
  const { condition, values } = conditionOf(request);
  const before = from === undefined ? Number.MAX_SAFE_INTEGER : Number(from);
  const lines = database
    .prepare(`SELECT number, record FROM runs WHERE ${condition} AND number < ? ORDER BY number DESC LIMIT ?`)
    .all(...values, before, limit + 1);
  const newest = Number(database.prepare("SELECT max(number) AS number FROM runs").get()?.["number"]);
  return pageOf(lines, limit, ({ number, record }) => {
    const run = toRunRecord(record);
    const isAlive = isJournalHeld && number === newest;
    return run.status === "running" && !isAlive ? { ...run, status: "interrupted" } : run;
  });
}

function countRuns(database: DatabaseSync, filter: RunFilter): number {
  const { condition, values } = conditionOf(filter);
  return Number(database.prepare(`SELECT count(*) AS n FROM runs WHERE ${condition}`).get(...values)?.["n"]);
}

function conditionOf({ pipeline, since, idPrefix }: RunFilter): { condition: string; values: SQLInputValue[] } {
  const terms: readonly (readonly [string, string | undefined])[] = [
    ["record ->> '$.pipeline' = ?", pipeline],
    ["record ->> '$.startedAt' >= ?", since?.toISOString()],
    ["instr(run_id, ?) = 1", idPrefix],
  ];
  const given = terms.flatMap(([term, value]) => (value === undefined ? [] : [[term, value] as const]));
  return { condition: ["1", ...given.map(([term]) => term)].join(" AND "), values: given.map(([, value]) => value) };
}

function failuresIn(database: DatabaseSync, runId: string, { limit, from }: PageRequest): Page<BadRow> {
  if (versionOf(database) < 2) return { items: [], next: null };
  const lines = database
    .prepare("SELECT * FROM failures WHERE run_id = ? AND number > ? ORDER BY number LIMIT ?")
    .all(runId, from === undefined ? 0 : Number(from), limit + 1);
  return pageOf(lines, limit, toBadRow);
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

function rowsIn(database: DatabaseSync, sink: string, pks: readonly string[]): ReadonlyMap<string, KnownRow> {
  const find = database.prepare("SELECT * FROM rows WHERE sink = ? AND pk = ?");
  const key = keyOfSink(sink);
  const rows = new Map<string, KnownRow>();
  for (const pk of pks) {
    const line = find.get(key, toExactText(pk));
    if (line !== undefined) rows.set(pk, toKnownRow(pk, line));
  }
  return rows;
}

function countWritten(database: DatabaseSync, sink: string): number {
  const counting = database.prepare("SELECT count(*) AS n FROM rows WHERE sink = ? AND outcome = 'written'");
  return Number(counting.get(keyOfSink(sink))?.["n"]);
}

/** A page of lines, of which one more than its limit was asked for. */
function pageOf<Item>(lines: readonly Line[], limit: number, toItem: (line: Line) => Item): Page<Item> {
  const shown = lines.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(toItem), next: lines.length > limit && last ? String(last["number"]) : null };
}
