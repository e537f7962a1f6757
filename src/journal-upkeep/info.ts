import type { SubmittedWork } from "../contracts/journal-work.ts";
import { parseProgress, watermarkName } from "../pipeline/changed-rows.ts";
import type { Look } from "./look.ts";
import { pagesOf, type RunAge, runAges } from "./runs.ts";
import { type DaySpending, spendingByDay } from "./spending.ts";

/** Answers of one step and model, by the age of the run that paid for them. */
export interface AnswersInfo {
  /**
   * The steps that asked the model in those runs: an answer does not say which of them it is for. None where the run is not known any more, or
   * is of version 0.1.
   */
  readonly steps: readonly string[];
  readonly model: string;
  readonly count: number;
  /** Those up to 7 days old, up to 30 and up to 90, and the rest. */
  readonly countByAge: readonly [week: number, month: number, quarter: number, older: number];
}

export interface SinkInfo {
  /** null where no run that the journal knows wrote to it. */
  readonly sink: string | null;
  /** The name under which the journal has its rows. */
  readonly sinkKey: string;
  readonly writtenCount: number;
  readonly failedCount: number;
  /** Rows of which nothing is known but the answers that they used. */
  readonly otherCount: number;
}

export interface JournalInfo {
  /** In bytes; null where the journal can't tell. */
  readonly size: number | null;
  readonly runs: { readonly count: number; readonly first: Date | null; readonly last: Date | null };
  readonly answers: readonly AnswersInfo[];
  readonly sinks: readonly SinkInfo[];
  /** The money of this month, by day and currency in `timeZone`: of runs that have a budget. */
  readonly spending: readonly DaySpending[];
  /** The time zone of days and months. */
  readonly timeZone: string;
  readonly watermarkCount: number;
  /** Rows that a run with `changes` reads although they did not change, by pipeline. */
  readonly dueRows: Readonly<Record<string, number>>;
  readonly decisionCount: number;
  readonly evaluationCount: number;
  /** By state. */
  readonly submittedWork: Readonly<Partial<Record<SubmittedWork["state"], number>>>;
  /** The run that has the journal, in words; null where none has. */
  readonly holder: string | null;
}

const dayMs = 86_400_000;
const ageLimits = [7 * dayMs, 30 * dayMs, 90 * dayMs] as const;

/** Tells what a journal holds. */
export async function journalInfo(look: Look, timeZone: string = "UTC", now: Date = new Date()): Promise<JournalInfo> {
  const runs = await runAges(look);
  const times = [...runs.values()].map(({ startedAt }) => startedAt).toSorted((a, b) => a.getTime() - b.getTime());
  return {
    size: await look.contents.size(),
    runs: { count: runs.size, first: times[0] ?? null, last: times.at(-1) ?? null },
    answers: await answersInfo(look, runs, now),
    sinks: await sinksInfo(look, runs),
    spending: await spendingByDay(look, now, timeZone),
    timeZone,
    ...(await watermarksInfo(look)),
    decisionCount: await countOf(look.overrides.list),
    evaluationCount: await countOf(look.evaluations.list),
    submittedWork: await workInfo(look),
    holder: (await look.holder()) ?? null,
  };
}

async function answersInfo(
  { contents }: Look,
  runs: ReadonlyMap<string, RunAge>,
  now: Date,
): Promise<readonly AnswersInfo[]> {
  const found = new Map<string, AnswersInfo & { countByAge: [number, number, number, number]; count: number }>();
  for (const { model, runId, count } of await contents.answerCounts()) {
    const run = runs.get(runId);
    const steps = (run?.steps ?? []).flatMap(({ step, models }) => (models.includes(model) ? [step] : []));
    const key = JSON.stringify([steps, model]);
    const info = found.get(key) ?? { steps, model, count: 0, countByAge: [0, 0, 0, 0] };
    found.set(key, info);
    info.count += count;
    info.countByAge[ageGroup(now.getTime() - (run?.lastAt.getTime() ?? -Infinity))] += count;
  }
  return [...found.values()];
}

function ageGroup(ageMs: number): 0 | 1 | 2 | 3 {
  const [week, month, quarter] = ageLimits;
  if (ageMs <= week) return 0;
  if (ageMs <= month) return 1;
  return ageMs <= quarter ? 2 : 3;
}

/** The rows of each sink. */
async function sinksInfo({ contents }: Look, runs: ReadonlyMap<string, RunAge>): Promise<readonly SinkInfo[]> {
  const names = new Map(
    [...runs.values()].flatMap(({ sinks }) => sinks.map((sink) => [contents.sinkKey(sink), sink] as const)),
  );
  const counts = await contents.rowCounts();
  return [...Map.groupBy(counts, ({ sinkKey }) => sinkKey)].map(([sinkKey, ofSink]) => {
    const count = (wanted: string): number => ofSink.find(({ outcome }) => outcome === wanted)?.count ?? 0;
    const [writtenCount, failedCount, otherCount] = [count("written"), count("failed"), count("known")];
    return { sink: names.get(sinkKey) ?? null, sinkKey, writtenCount, failedCount, otherCount };
  });
}

async function watermarksInfo({ watermarks }: Look): Promise<Pick<JournalInfo, "watermarkCount" | "dueRows">> {
  const dueRows: Record<string, number> = {};
  let watermarkCount = 0;
  for await (const page of pagesOf(watermarks.list, 100)) {
    watermarkCount += page.length;
    for (const { pipeline, name, value } of page)
      if (name === watermarkName) dueRows[pipeline] = parseProgress(value).due.length;
  }
  return { watermarkCount, dueRows };
}

async function workInfo({ work }: Look): Promise<JournalInfo["submittedWork"]> {
  const counts: Partial<Record<SubmittedWork["state"], number>> = {};
  for await (const page of pagesOf(work.list, 500))
    for (const { state } of page) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

async function countOf(list: Parameters<typeof pagesOf>[0]): Promise<number> {
  let count = 0;
  for await (const page of pagesOf(list, 500)) count += page.length;
  return count;
}
