import type { BadRow, KnownRow, RowChildren, RowUse, WrittenRow } from "../contracts/journal.ts";
import type { FailedKnownRow } from "../contracts/journal-upkeep.ts";
import type { Change } from "./changes.ts";
import { type Line, tables } from "./tables.ts";
import { keyHash, orNull, splitFingerprints, toRecord } from "./texts.ts";

/** The lines that rows of a sink have, as keys. */
export function rowKeys(sink: string, pks: readonly string[]): readonly Line[] {
  const key = keyHash(sink);
  return pks.map((pk) => ({ sink: key, row_key: keyHash(pk) }));
}

/** By primary key, something of the lines that are there. */
export function byPk<Found>(
  lines: readonly Line[],
  toFound: (pk: string, line: Line) => Found | undefined,
): ReadonlyMap<string, Found> {
  const found = new Map<string, Found>();
  for (const line of lines) {
    const pk = String(line["pk"]);
    const one = toFound(pk, line);
    if (one !== undefined) found.set(pk, one);
  }
  return found;
}

/** Undefined where it was forgotten, but for the answers that it used. */
export function toKnownRow(pk: string, line: Line): KnownRow | undefined {
  const { outcome, run_id, error_code, target_key, values_hash, started_at, completed_at, lineage } = line;
  if (outcome === "failed") return { outcome, pk, runId: String(run_id), errorCode: String(error_code) };
  if (outcome !== "written") return undefined;
  return { outcome, ...toWritten() };

  function toWritten(): WrittenRow {
    return {
      pk,
      targetKey: orNull(target_key, String) ?? pk,
      valuesHash: String(values_hash),
      runId: String(run_id),
      startedAt: new Date(Number(started_at)),
      completedAt: new Date(Number(completed_at)),
      lineage: JSON.parse(String(lineage)),
      fingerprints: usedIn(line),
    };
  }
}

export function usedIn(line: Line): readonly string[] | null {
  return splitFingerprints(line["fingerprints"]);
}

const nothingKnown = {
  error_code: null,
  target_hash: null,
  target_key: null,
  values_hash: null,
  started_at: null,
  completed_at: null,
  lineage: null,
};

/** In order: where a row takes the place of another of these, what is known of that one is forgotten after it was put. */
export function writtenChanges(sink: string, rows: readonly WrittenRow[]): readonly Change[] {
  const key = keyHash(sink);
  const changes: Change[] = [];
  let parts: { readonly forgotten: Change[]; readonly put: Change[]; readonly taken: Set<string> } | undefined;
  for (const row of rows) {
    const target = keyHash(row.targetKey);
    if (parts === undefined || parts.taken.has(target)) {
      changes.push(...(parts?.forgotten ?? []), ...(parts?.put ?? []));
      parts = { forgotten: [], put: [], taken: new Set() };
    }
    parts.taken.add(target);
    const place = { sink: key, target_hash: target, row_key: keyHash(row.pk) };
    parts.forgotten.push({
      kind: "set",
      table: tables.rows,
      line: place,
      except: "row_key",
      values: { ...nothingKnown, outcome: "known" },
    });
    parts.put.push({ kind: "put", table: tables.rows, line: { ...place, ...toLine(row) } });
  }
  return [...changes, ...(parts?.forgotten ?? []), ...(parts?.put ?? [])];
}

function toLine({ pk, targetKey, valuesHash, runId, startedAt, completedAt, lineage, fingerprints }: WrittenRow): Line {
  return {
    pk,
    outcome: "written",
    run_id: runId,
    error_code: null,
    target_key: targetKey === pk ? null : targetKey,
    values_hash: valuesHash,
    started_at: startedAt.getTime(),
    completed_at: completedAt.getTime(),
    lineage: toRecord(lineage),
    fingerprints: fingerprints === null ? null : fingerprints.join(""),
  };
}

export function failedChanges(sink: string, rows: readonly BadRow[]): readonly Change[] {
  return rows.flatMap((row): readonly Change[] => {
    const { pk, ownsKey } = row;
    const added = addedFailures([row]);
    return pk === null || !ownsKey ? added : [...added, failedRowChange(sink, { ...row, pk })];
  });
}

/** Failures of runs. */
export function addedFailures(rows: readonly BadRow[]): readonly Change[] {
  return rows.map(({ position, pk, ownsKey, step, errorCode, errorMessage, retryCount, runId, failedAt }) => ({
    kind: "put",
    table: tables.failures,
    line: {
      run_id: runId,
      position,
      pk,
      owns_key: ownsKey ? 1 : 0,
      step,
      error_code: errorCode,
      error_message: errorMessage,
      retry_count: retryCount,
      failed_at: failedAt.getTime(),
    },
  }));
}

/** A row at a sink, as failed. */
export function failedRowChange(sink: string, { pk, runId, errorCode }: FailedKnownRow): Change {
  const line = { sink: keyHash(sink), row_key: keyHash(pk), pk, ...nothingKnown };
  return {
    kind: "put",
    table: tables.rows,
    line: { ...line, outcome: "failed", run_id: runId, error_code: errorCode },
  };
}

export function toBadRow(line: Line): BadRow {
  const { position, pk, owns_key, step, error_code, error_message, retry_count, run_id, failed_at } = line;
  return {
    position: Number(position),
    pk: orNull(pk, String),
    ownsKey: Number(owns_key) === 1,
    step: orNull(step, String),
    errorCode: String(error_code),
    errorMessage: String(error_message),
    retryCount: Number(retry_count),
    runId: String(run_id),
    failedAt: new Date(Number(failed_at)),
  };
}

export function usedChanges(sink: string, uses: readonly RowUse[]): readonly Change[] {
  const key = keyHash(sink);
  return uses.map(({ pk, fingerprints }) => ({
    kind: "put",
    table: tables.rows,
    line: { sink: key, row_key: keyHash(pk), pk, fingerprints: fingerprints.join("") },
  }));
}

export function childrenChanges(sink: string, rows: readonly RowChildren[]): readonly Change[] {
  const key = keyHash(sink);
  return rows.map(({ pk, children }) => ({
    kind: "put",
    table: tables.children,
    line: { sink: key, row_key: keyHash(pk), pk, children: toRecord(children) },
  }));
}

export function childrenIn(line: Line): readonly string[] {
  return JSON.parse(String(line["children"])); // as it was saved
}

/** The answers that rows used stay known. */
export function forgetRowsChange(sink: string): Change {
  const values = { ...nothingKnown, outcome: "known" };
  return { kind: "set", table: tables.rows, line: { sink: keyHash(sink) }, values };
}
