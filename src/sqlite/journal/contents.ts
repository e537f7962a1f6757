import { stat } from "node:fs/promises";
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { Page, PageRequest } from "../../contracts/journal.ts";
import type { AnswerCount, AnswerOwner, JournalContents, RowCount, StoredUse } from "../../contracts/journal-upkeep.ts";
import type { RunAttempt } from "../../contracts/run-detail.ts";
import { fromExactText } from "../../files/exact-text.ts";
import { emptyPage, pageFrom, pageOf } from "./paging.ts";
import { toAttempt } from "./run-detail.ts";
import { usedDigits, usedIn } from "./rows.ts";
import { keyOfSink, versionOf } from "./schema.ts";

type Read = <Result>(work: (database: DatabaseSync) => Result) => Promise<Awaited<Result>>;

/** All that the journal in a file holds; `read` gives each look a connection. */
export function contentsOf(path: string, read: Read): JournalContents {
  return {
    size: async () => {
      const sizes = ["", "-wal"].map(
        async (ending) => (await stat(`${path}${ending}`).catch(() => undefined))?.size ?? 0,
      );
      return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    },
    answerCounts: async () => await read(answerCounts),
    rowCounts: async () => await read(rowCounts),
    answers: async (request) => await read((database) => answersIn(database, request)),
    uses: async (sinkKey, request) => await read((database) => usesIn(database, sinkKey, request)),
    attempts: async (runId, request) => await read((database) => attemptsOfRun(database, runId, request)),
    sinkKey: (identity) => keyOfSink(identity).toString("hex"),
  };
}

/** An answer that is not the newest of its fingerprint: nobody finds it. */
export const isReplaced = `EXISTS (SELECT 1 FROM fingerprints AS f JOIN answers AS newer ON newer.number = f.answer
  WHERE f.beginning = substr(answers.fingerprint, 1, 8) AND f.answer > answers.number AND newer.fingerprint = answers.fingerprint)`;

function answerCounts(database: DatabaseSync): readonly AnswerCount[] {
  const lines = database.prepare("SELECT run_id, model, count(*) AS n FROM answers GROUP BY run_id, model").all();
  return lines.map(({ run_id, model, n }) => ({ runId: String(run_id), model: String(model), count: Number(n) }));
}

function rowCounts(database: DatabaseSync): readonly RowCount[] {
  const lines = database
    .prepare("SELECT lower(hex(sink)) AS sink, outcome, count(*) AS n FROM rows GROUP BY 1, 2")
    .all();
  return lines.map(({ sink, outcome, n }) => ({
    sinkKey: String(sink),
    outcome: outcomeOf(outcome),
    count: Number(n),
  }));
}

function outcomeOf(value: SQLOutputValue | undefined): RowCount["outcome"] {
  return value === "written" || value === "known" ? value : "failed";
}

function answersIn(database: DatabaseSync, { limit, from }: PageRequest): Page<AnswerOwner> {
  const lines = database
    .prepare(
      `SELECT number, lower(hex(fingerprint)) AS fingerprint, run_id FROM answers WHERE number > ? AND NOT ${isReplaced}
      ORDER BY number LIMIT ?`,
    )
    .all(from === undefined ? 0 : Number(from), limit + 1);
  return pageOf(lines, limit, ({ fingerprint, run_id }) => ({
    fingerprint: String(fingerprint),
    runId: String(run_id),
  }));
}

/** The place of a page: a key is text, or the bytes of one that SQLite's text can't hold. */
function placeOf(pk: SQLOutputValue | undefined): string {
  return pk instanceof Uint8Array ? `b${Buffer.from(pk).toString("hex")}` : `t${String(pk)}`;
}

function keyAt(place: string): string | Buffer {
  return place.startsWith("b") ? Buffer.from(place.slice(1), "hex") : place.slice(1);
}

function usesIn(database: DatabaseSync, sinkKey: string, { limit, from }: PageRequest): Page<StoredUse> {
  const used = versionOf(database) < 3 ? "NULL" : usedDigits;
  const beyond = from === undefined ? "" : "AND pk > ?";
  const lines = database
    .prepare(`SELECT pk, outcome, run_id, ${used} AS used FROM rows WHERE sink = ? ${beyond} ORDER BY pk LIMIT ?`)
    .all(Buffer.from(sinkKey, "hex"), ...(from === undefined ? [] : [keyAt(from)]), limit + 1);
  const shown = lines.slice(0, limit);
  const items = shown.map(({ pk, outcome, run_id, used: digits }) => ({
    pk: fromExactText(pk),
    outcome: outcomeOf(outcome),
    runId: String(run_id),
    fingerprints: usedIn(digits),
  }));
  return { items, next: lines.length > limit ? placeOf(shown.at(-1)?.["pk"]) : null };
}

function attemptsOfRun(database: DatabaseSync, runId: string, request: PageRequest): Page<RunAttempt> {
  if (versionOf(database) < 3) return emptyPage;
  const where = "run = (SELECT number FROM run_numbers WHERE run_id = ?)";
  return pageFrom(database, { table: "attempts", where, values: [runId], order: "oldest" }, request, toAttempt);
}
