import type { Page, PageRequest, PastRun, RunFilter, RunRecord, StoredAnswer } from "../contracts/journal.ts";
import type { Evaluation, Override, SubmittedWork, Watermark } from "../contracts/journal-work.ts";
import type { Looks, PageQuery, Term } from "./store.ts";
import { type Line, type Table, tables } from "./tables.ts";
import { toRecord } from "./texts.ts";

/** A page of lines; the next one begins after the last line's value of the order. */
export async function pageIn<Item>(
  { page }: Looks,
  table: Table,
  { limit, from, by = "number", ...query }: Omit<PageQuery, "limit" | "from"> & PageRequest,
  toItem: (line: Line) => Item,
): Promise<Page<Item>> {
  const start = from !== undefined && by === "number" ? Number(from) : from;
  const lines = await page(table, { ...query, by, from: start, limit: limit + 1 });
  const shown = lines.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(toItem), next: lines.length > limit && last ? String(last[by]) : null };
}

export function termsOf({ pipeline, since, idPrefix }: RunFilter): readonly Term[] {
  return [
    ...(pipeline === undefined ? [] : [["pipeline", "=", pipeline] as const]),
    ...(since === undefined ? [] : [["started_at", ">=", since.getTime()] as const]),
    ...(idPrefix === undefined ? [] : [["run_id", "begins", idPrefix] as const]),
  ];
}

export function answerLine(fingerprint: string, { text, finishReason, model, usage, runId }: StoredAnswer): Line {
  const { isEstimated: _, ...counts } = usage;
  const tokens = toRecord(counts);
  return { fingerprint, text, finish_reason: finishReason, model, usage: tokens, run_id: runId };
}

export function answersOf(lines: readonly Line[]): ReadonlyMap<string, StoredAnswer> {
  return new Map(
    lines.map(({ fingerprint, text, finish_reason, model, usage, run_id }) => [
      String(fingerprint),
      {
        text: String(text),
        finishReason: finish_reason === "length" ? "length" : "stop",
        model: String(model),
        usage: JSON.parse(String(usage)),
        runId: String(run_id),
      },
    ]),
  );
}

/** A run that has not ended was interrupted, unless it is one of those that hold their pipelines. */
export function toPastRun({ record }: Line, alive: ReadonlySet<string>): PastRun {
  const run: RunRecord = JSON.parse(String(record)); // as it was saved
  const { startedAt, endedAt, status, figures } = run;
  const times = { startedAt: new Date(startedAt), endedAt: endedAt === null ? null : new Date(endedAt) };
  if (status !== "running") return { ...run, ...times };
  const { readCount, successCount, failureCount, skippedCount } = figures;
  const pendingCount = readCount - successCount - failureCount - skippedCount; // so that its counts add up, too
  const isAlive = alive.has(run.runId);
  return { ...run, ...times, figures: { ...figures, pendingCount }, status: isAlive ? "running" : "interrupted" };
}

export function toWork({ record }: Line): SubmittedWork {
  const work: SubmittedWork = JSON.parse(String(record)); // as it was saved
  return { ...work, createdAt: new Date(work.createdAt), updatedAt: new Date(work.updatedAt) };
}

export function toWatermark({ record }: Line): Watermark {
  const watermark: Watermark = JSON.parse(String(record)); // as it was saved
  return { ...watermark, savedAt: new Date(watermark.savedAt) };
}

export function toEvaluation({ record }: Line): Evaluation {
  const evaluation: Evaluation = JSON.parse(String(record)); // as it was saved
  return { ...evaluation, startedAt: new Date(evaluation.startedAt) };
}

export function toOverride({ record }: Line): Override {
  const override: Override = JSON.parse(String(record)); // as it was saved
  return { ...override, decidedAt: new Date(override.decidedAt) };
}

export async function workPage(looks: Looks, request: PageRequest): Promise<Page<SubmittedWork>> {
  return await pageIn(looks, tables.work, { where: [], order: "falling", ...request }, toWork);
}

export async function fingerprintsPage(looks: Looks, id: string, request: PageRequest): Promise<Page<string>> {
  const query = { where: [["work", "=", id]], order: "rising", by: "fingerprint" } as const;
  return await pageIn(looks, tables.workFingerprints, { ...query, ...request }, (line) => String(line["fingerprint"]));
}
