import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { Page, PageRequest } from "../../contracts/journal.ts";
import type { RunAttempt, RunRow, RunRowFilter, TimeSlice, ValueCounts } from "../../contracts/run-detail.ts";
import { fromExactText, toExactText } from "../../files/exact-text.ts";
import { type Line, pageFrom, pageOf } from "./paging.ts";
import { blockOf, isMeant, marksFor, rowsOf } from "../../journal-tables/run-rows.ts";

/** Saves what runs tell of themselves beside their record. To be called in a transaction. */
export class RunDetailWriter {
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: DatabaseSync) {
    this.#statements = prepare(database);
  }

  saveRows(runId: string, rows: readonly RunRow[]): void {
    if (rows.length === 0) return;
    const { marks, block } = blockOf(rows);
    this.#statements.addRows.run(this.#numberOf(runId), marks, block);
  }

  saveAttempts(runId: string, attempts: readonly RunAttempt[]): void {
    const run = this.#numberOf(runId);
    for (const attempt of attempts) {
      const { pk, step, kind, startedAt, waitMs, latencyMs, issueCodes, errorCode, cost } = attempt;
      const { inputTokens, cachedTokens, outputTokens, reasoningTokens } = attempt;
      const codes = issueCodes.length === 0 ? null : JSON.stringify(issueCodes);
      const times = [startedAt.getTime(), Math.round(waitMs), Math.round(latencyMs)];
      const usage = [inputTokens, cachedTokens, outputTokens, reasoningTokens];
      const ended: SQLInputValue[] = [...times, codes, errorCode, ...usage, cost];
      this.#statements.addAttempt.run(run, toExactText(pk), step, kind, ...ended);
    }
  }

  saveTimeline(runId: string, slices: readonly TimeSlice[]): void {
    const run = this.#numberOf(runId);
    for (const { startedAt, ...counts } of slices) {
      this.#statements.saveSlice.run(run, startedAt.getTime(), JSON.stringify(counts));
    }
  }

  saveValues(runId: string, values: readonly ValueCounts[]): void {
    const run = this.#numberOf(runId);
    for (const counts of values) this.#statements.saveValues.run(run, counts.column, JSON.stringify(counts));
  }

  /** Not remembered: a transaction that gave the run its number may have been rolled back. */
  #numberOf(runId: string): number {
    this.#statements.addNumber.run(runId);
    return Number(this.#statements.findNumber.get(runId)?.["number"]);
  }
}

function prepare(database: DatabaseSync) {
  return {
    addNumber: database.prepare("INSERT OR IGNORE INTO run_numbers (run_id) VALUES (?)"),
    findNumber: database.prepare("SELECT number FROM run_numbers WHERE run_id = ?"),
    addRows: database.prepare("INSERT INTO run_rows (run, marks, block) VALUES (?, ?, ?)"),
    addAttempt: database.prepare("INSERT INTO attempts VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
    saveSlice: database.prepare("INSERT OR REPLACE INTO time_slices VALUES (?, ?, ?)"),
    saveValues: database.prepare("INSERT OR REPLACE INTO value_counts VALUES (?, ?, ?)"),
  };
}

/** The rows of a run that a filter lets through. Only blocks that may have one are looked into. */
export function runRowsIn(
  database: DatabaseSync,
  runId: string,
  { limit, from, ...filter }: RunRowFilter & PageRequest,
): Page<RunRow> {
  const [first = 0, skipped = 0] = from === undefined ? [] : from.split(".").map(Number);
  const marks = marksFor(filter);
  const hasMark = "EXISTS (SELECT 1 FROM json_each(marks) AS mark WHERE mark.value = ?)";
  const blocks = database.prepare(
    `SELECT run_rows.number, block FROM run_rows WHERE run = (SELECT number FROM run_numbers WHERE run_id = ?)
      AND ${["number >= ?", ...marks.map(() => hasMark)].join(" AND ")} ORDER BY number`,
  );
  const items: RunRow[] = [];
  for (const { number, block } of blocks.iterate(runId, first, ...marks)) {
    if (!(block instanceof Uint8Array)) continue;
    const rows = rowsOf(block);
    for (let index = number === first ? skipped : 0; index < rows.length; index += 1) {
      const row = rows[index];
      if (row === undefined || !isMeant(row, filter)) continue;
      if (items.length === limit) return { items, next: `${String(number)}.${index}` };
      items.push(row);
    }
  }
  return { items, next: null };
}

export function attemptsIn(
  database: DatabaseSync,
  runId: string,
  pk: string,
  { limit, from }: PageRequest,
): Page<RunAttempt> {
  const lines = database
    .prepare(
      `SELECT * FROM attempts WHERE run = (SELECT number FROM run_numbers WHERE run_id = ?) AND pk = ? AND number > ?
      ORDER BY number LIMIT ?`,
    )
    .all(runId, toExactText(pk), from === undefined ? 0 : Number(from), limit + 1);
  return pageOf(lines, limit, toAttempt);
}

export function toAttempt(line: Line): RunAttempt {
  const { issue_codes: codes, error_code: errorCode, cost } = line;
  return {
    pk: fromExactText(line["pk"]),
    step: String(line["step"]),
    kind: String(line["kind"]) as RunAttempt["kind"], // as it was saved
    startedAt: new Date(Number(line["started_at"])),
    waitMs: Number(line["wait_ms"]),
    latencyMs: Number(line["latency_ms"]),
    issueCodes: codes === null ? [] : JSON.parse(String(codes)),
    errorCode: errorCode === null ? null : String(errorCode),
    inputTokens: Number(line["input_tokens"]),
    cachedTokens: Number(line["cached_tokens"]),
    outputTokens: Number(line["output_tokens"]),
    reasoningTokens: Number(line["reasoning_tokens"]),
    cost: cost === null ? null : Number(cost),
  };
}

const ofRun = "run = (SELECT number FROM run_numbers WHERE run_id = ?)";

export function timelineIn(database: DatabaseSync, runId: string, request: PageRequest): Page<TimeSlice> {
  const table = "(SELECT run, started_at AS number, slice FROM time_slices)";
  return pageFrom(
    database,
    { table, where: ofRun, values: [runId], order: "oldest" },
    request,
    ({ number, slice }) => ({
      startedAt: new Date(Number(number)),
      ...JSON.parse(String(slice)),
    }),
  );
}

export function valuesIn(database: DatabaseSync, runId: string, { limit, from = "" }: PageRequest): Page<ValueCounts> {
  const lines = database
    .prepare(`SELECT name AS number, counts FROM value_counts WHERE ${ofRun} AND name > ? ORDER BY name LIMIT ?`)
    .all(runId, from, limit + 1);
  return pageOf(lines, limit, ({ counts }) => JSON.parse(String(counts)));
}
