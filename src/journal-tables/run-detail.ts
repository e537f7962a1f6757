import type { Page, PageRequest, RunRecord } from "../contracts/journal.ts";
import type { RunAttempt, RunRow, RunRowFilter, TimeSlice, ValueBins, ValueCounts } from "../contracts/run-detail.ts";
import type { Change } from "./changes.ts";
import { blockOf, isMeant, marksFor, rowsOf } from "./run-rows.ts";
import type { Looks } from "./store.ts";
import { type Line, type Table, tables } from "./tables.ts";
import { keyHash, longestName, toName, toRecord } from "./texts.ts";

export function runChanges(run: RunRecord): readonly Change[] {
  const { runId, pipeline, startedAt, steps } = run;
  const line = { run_id: runId, pipeline, started_at: startedAt.getTime(), record: toRecord(run) };
  const prompts = steps
    .filter(({ models }) => models.length > 0)
    .flatMap(({ step, promptHashes }) =>
      promptHashes.map((hash): Change => ({
        kind: "put",
        table: tables.answeredPrompts,
        line: { pipeline, step, prompt_hash: hash },
      })),
    );
  return [{ kind: "put", table: tables.runs, line }, ...prompts];
}

export function rowsChanges(runId: string, rows: readonly RunRow[]): readonly Change[] {
  if (rows.length === 0) return [];
  const { marks, block } = blockOf(rows);
  return [{ kind: "put", table: tables.runRows, line: { run_id: runId, marks, block: block.toString("hex") } }];
}

export function attemptChanges(runId: string, attempts: readonly RunAttempt[]): readonly Change[] {
  return attempts.map((attempt) => ({
    kind: "put",
    table: tables.attempts,
    line: { run_id: runId, row_key: keyHash(attempt.pk), record: toRecord(attempt) },
  }));
}

/** Ends the part of a place that sessions share; no name has it. */
const end = "\u0001";

function placed(table: Table, runId: string, place: string, record: object): Change {
  return { kind: "put", table, line: { run_id: runId, place, record: toRecord(record) } };
}

export function timelineChanges(runId: string, session: string, slices: readonly TimeSlice[]): readonly Change[] {
  return slices.map((slice) => {
    const time = `${slice.startedAt.getTime()}`.padStart(16, "0");
    return placed(tables.timeSlices, runId, `${time}${end}${session}`, slice);
  });
}

export function valueChanges(runId: string, session: string, values: readonly ValueCounts[]): readonly Change[] {
  const place = (column: string): string => `${toName(column, longestName - 40)}${end}${session}`; // a UUID
  return values.map((counts) => placed(tables.valueCounts, runId, place(counts.column), counts));
}

/** The rows of a run that a filter lets through. Only blocks that may have one are looked into. */
export async function runRowsIn(
  { page }: Looks,
  runId: string,
  { limit, from, ...filter }: RunRowFilter & PageRequest,
): Promise<Page<RunRow>> {
  const [first = 0, skipped = 0] = from === undefined ? [] : from.split(".").map(Number);
  const marks = marksFor(filter).map((mark) => ["marks", "has", JSON.stringify(mark)] as const);
  const items: RunRow[] = [];
  let after = first - 1;
  for (;;) {
    const where = [["run_id", "=", runId] as const, ...marks];
    const blocks = await page(tables.runRows, { where, order: "rising", from: after, limit: 8 });
    for (const { number, block } of blocks) {
      after = Number(number);
      const rows = rowsOf(Buffer.from(String(block), "hex"));
      for (let index = after === first ? skipped : 0; index < rows.length; index += 1) {
        const row = rows[index];
        if (row === undefined || !isMeant(row, filter)) continue;
        if (items.length === limit) return { items, next: `${after}.${index}` };
        items.push(row);
      }
    }
    if (blocks.length < 8) return { items, next: null };
  }
}

export function toAttempt({ record }: Line): RunAttempt {
  const attempt: RunAttempt = JSON.parse(String(record)); // as it was saved
  return { ...attempt, startedAt: new Date(attempt.startedAt) };
}

/** Things that several sessions saved in parts, each whole: a page of sums. */
async function summed<Item>(
  { page }: Looks,
  { table, runId, sum }: { table: Table; runId: string; sum: (parts: readonly Item[]) => Item },
  { limit, from }: PageRequest,
): Promise<Page<Item>> {
  const found: { readonly name: string; readonly parts: Item[] }[] = [];
  let after = from === undefined ? undefined : `${from}${end}\u{10FFFF}`;
  for (;;) {
    const where = [["run_id", "=", runId]] as const;
    const lines = await page(table, { where, order: "rising", from: after, limit: limit + 1, by: "place" });
    for (const { place, record } of lines) {
      after = String(place);
      const name = after.slice(0, after.lastIndexOf(end));
      let last = found.at(-1);
      if (last?.name !== name) {
        if (found.length === limit) {
          return { items: found.map(({ parts }) => sum(parts)), next: last?.name ?? null };
        }
        last = { name, parts: [] };
        found.push(last);
      }
      const part: Item = JSON.parse(String(record)); // as it was saved
      last.parts.push(part);
    }
    if (lines.length <= limit) return { items: found.map(({ parts }) => sum(parts)), next: null };
  }
}

/** Its time is text yet. */
function toSlice({ startedAt, ...counts }: TimeSlice): TimeSlice {
  return { startedAt: new Date(startedAt), ...counts };
}

export async function timelineIn(looks: Looks, runId: string, request: PageRequest): Promise<Page<TimeSlice>> {
  const { items, next } = await summed<TimeSlice>(looks, { table: tables.timeSlices, runId, sum: sumSlices }, request);
  return { items: items.map(toSlice), next };
}

export async function valuesIn(looks: Looks, runId: string, request: PageRequest): Promise<Page<ValueCounts>> {
  return await summed<ValueCounts>(looks, { table: tables.valueCounts, runId, sum: sumCounts }, request);
}

function sumSlices(parts: readonly TimeSlice[]): TimeSlice {
  return parts.reduce((sum, { rows, calls, rateLimited, gateClosedMs }) => ({
    startedAt: sum.startedAt,
    rows: {
      written: sum.rows.written + rows.written,
      unchanged: sum.rows.unchanged + rows.unchanged,
      failed: sum.rows.failed + rows.failed,
      skipped: sum.rows.skipped + rows.skipped,
      pending: sum.rows.pending + rows.pending,
    },
    calls: sum.calls + calls,
    rateLimited: sum.rateLimited + rateLimited,
    gateClosedMs: sum.gateClosedMs + gateClosedMs,
  }));
}

function sumCounts(parts: readonly ValueCounts[]): ValueCounts {
  return parts.reduce((sum, part) => ({
    column: sum.column,
    nulls: sum.nulls + part.nulls,
    trues: sum.trues + part.trues,
    falses: sum.falses + part.falses,
    categories: countedBy([...sum.categories, ...part.categories], ({ name }) => name).toSorted(
      (a, b) => b.count - a.count,
    ),
    numbers: sumBins(sum.numbers, part.numbers),
    textLengths: sumBins(sum.textLengths, part.textLengths),
    listLengths: sumBins(sum.listLengths, part.listLengths),
  }));
}

/** Of bins at most; those that are the nearest to each other become one. */
const mostBins = 200;

function sumBins(one: ValueBins | null, other: ValueBins | null): ValueBins | null {
  if (one === null || other === null) return one ?? other;
  const bins = countedBy([...one.bins, ...other.bins], ({ value }) => value).toSorted((a, b) => a.value - b.value);
  while (bins.length > mostBins) {
    let nearest = 1;
    const gap = (index: number): number => (bins[index]?.value ?? 0) - (bins[index - 1]?.value ?? 0);
    for (let index = 2; index < bins.length; index += 1) if (gap(index) < gap(nearest)) nearest = index;
    const [left, right] = [bins[nearest - 1], bins[nearest]];
    if (left === undefined || right === undefined) break;
    const { value } = left.count >= right.count ? left : right;
    bins.splice(nearest - 1, 2, { value, count: left.count + right.count });
  }
  return { minimum: Math.min(one.minimum, other.minimum), maximum: Math.max(one.maximum, other.maximum), bins };
}

function countedBy<Item extends { readonly count: number }>(
  items: readonly Item[],
  keyOf: (item: Item) => unknown,
): Item[] {
  const found = new Map<unknown, Item>();
  for (const item of items) {
    const known = found.get(keyOf(item));
    found.set(keyOf(item), known === undefined ? item : { ...known, count: known.count + item.count });
  }
  return [...found.values()];
}
