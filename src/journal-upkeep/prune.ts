import type { JournalSession } from "../contracts/journal.ts";
import type { AnswerOwner, JournalUpkeep } from "../contracts/journal-upkeep.ts";
import { pagesOf, type RunAge, runAges } from "./runs.ts";
import type { Look } from "./look.ts";
import { UsedAnswers } from "./used-answers.ts";

export interface PruneRequest {
  /** All that is from then on stays. */
  readonly before: Date;
  /** Removes also what rows use, and what runs go on from. */
  readonly includeCurrent: boolean;
  /** The sinks whose rows are forgotten, by the names under which the journal has them. */
  readonly sinkKeys: readonly string[];
}

/**
 * The reason why something stays. `used`: a row's last outcome is based on it. `younger`: it is not older than was asked for. `olderVersion`: it is of version
 * 0.1, and it is not known which rows use it. `newest`: it is the newest run to its sink, and names the sink of rows that stay. `current`: runs go on
 * from it, and only `includeCurrent` removes it. `kept`: rows of a sink that is not to be forgotten.
 */
export type StayReason = "used" | "younger" | "olderVersion" | "newest" | "current" | "kept";

/** The kinds of things in a journal. */
export type Prunable = "answers" | "runs" | "rows" | "watermarks" | "decisions" | "submitted work" | "evaluations";

export interface PruneFinding {
  readonly what: Prunable;
  readonly goes: number;
  readonly stays: Readonly<Partial<Record<StayReason, number>>>;
}

export interface PruneOptions {
  readonly look: Look;
  /** The journal, held. Without it nothing is removed: what would be is counted. */
  readonly upkeep: (JournalSession & JournalUpkeep) | undefined;
  readonly request: PruneRequest;
  readonly signal: AbortSignal;
}

/**
 * Removes from a journal what no run needs any more, or counts it. Each part is removed in bounded transactions, and what others depend on goes after
 * them: a process that dies midway has lost nothing, and the same call goes on.
 *
 * @throws the signal's reason, between two transactions
 */
export async function prune(options: PruneOptions): Promise<readonly PruneFinding[]> {
  const runs = await runAges(options.look);
  const { sinkKeys } = options.request;
  const forgotten = new Set(sinkKeys);
  const used = await UsedAnswers.in(options.look, runs, (sinkKey) => !forgotten.has(sinkKey), options.signal);
  try {
    const rows = await pruneRows(options, forgotten);
    const answers = await pruneAnswers(options, runs, used);
    const current = await pruneCurrent(options);
    const ofRuns = await pruneRuns(options, { runs, used, newest: await newestRuns(options, runs, forgotten) });
    await options.upkeep?.reclaim?.(options.signal);
    return [answers, ofRuns, rows, ...current];
  } finally {
    used.close();
  }
}

class Finding implements PruneFinding {
  readonly what: Prunable;
  readonly stays: Partial<Record<StayReason, number>> = {};
  goes = 0;

  constructor(what: Prunable) {
    this.what = what;
  }

  /** Counts it as staying for a reason, or as going. True if it goes. */
  add(reason: StayReason | undefined, count = 1): boolean {
    if (reason === undefined) this.goes += count;
    else this.stays[reason] = (this.stays[reason] ?? 0) + count;
    return reason === undefined;
  }
}

async function pruneRows(
  { look: { contents }, upkeep, signal }: PruneOptions,
  forgotten: ReadonlySet<string>,
): Promise<Finding> {
  const finding = new Finding("rows");
  for (const { sinkKey, count } of await contents.rowCounts())
    finding.add(forgotten.has(sinkKey) ? undefined : "kept", count);
  if (upkeep === undefined) return finding;
  for (const sinkKey of forgotten) {
    for await (const page of pagesOf(async (request) => await contents.uses(sinkKey, request))) {
      signal.throwIfAborted();
      await upkeep.remove.rows(
        sinkKey,
        page.map(({ pk }) => pk),
      );
    }
  }
  return finding;
}

async function pruneAnswers(
  { look: { contents }, upkeep, request: { before, includeCurrent }, signal }: PruneOptions,
  runs: ReadonlyMap<string, RunAge>,
  used: UsedAnswers,
): Promise<Finding> {
  const finding = new Finding("answers");
  const reasonOf = ({ fingerprint, runId }: AnswerOwner): StayReason | undefined => {
    const run = runs.get(runId); // one that is not known any more is older: an earlier call has removed it
    if (!includeCurrent && used.has(fingerprint)) return "used";
    if (!includeCurrent && run?.version === null && !used.isOlderUseKnown) return "olderVersion";
    return run === undefined || run.lastAt < before ? undefined : "younger";
  };
  for await (const page of pagesOf(contents.answers)) {
    signal.throwIfAborted();
    const going = page.filter((answer) => finding.add(reasonOf(answer)));
    if (going.length > 0) await upkeep?.answers.forget(going.map(({ fingerprint }) => fingerprint));
  }
  return finding;
}

/** The newest run to each sink whose rows stay. */
async function newestRuns(
  { look: { contents } }: PruneOptions,
  runs: ReadonlyMap<string, RunAge>,
  forgotten: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const sinkKeys = new Set((await contents.rowCounts()).map(({ sinkKey }) => sinkKey));
  const newest = new Map<string, RunAge>();
  for (const run of runs.values()) {
    for (const key of run.sinks.map((sink) => contents.sinkKey(sink))) {
      const known = newest.get(key);
      const isNewer = known === undefined || known.startedAt < run.startedAt;
      if (isNewer && sinkKeys.has(key) && !forgotten.has(key)) newest.set(key, run);
    }
  }
  return new Set([...newest.values()].map(({ runId }) => runId));
}

interface RunsToPrune {
  readonly runs: ReadonlyMap<string, RunAge>;
  readonly used: UsedAnswers;
  /** The runs that name sinks. */
  readonly newest: ReadonlySet<string>;
}

async function pruneRuns(
  { upkeep, request: { before, includeCurrent }, signal }: PruneOptions,
  { runs, used, newest }: RunsToPrune,
): Promise<Finding> {
  const finding = new Finding("runs");
  const reasonOf = ({ runId, lastAt, version }: RunAge): StayReason | undefined => {
    if (lastAt >= before) return "younger";
    if (includeCurrent) return undefined;
    if (newest.has(runId)) return "newest";
    // By them it is known which answers are of that version.
    return version === null && !used.isOlderUseKnown ? "olderVersion" : undefined;
  };
  for (const run of [...runs.values()].toReversed()) {
    if (!finding.add(reasonOf(run)) || upkeep === undefined) continue;
    do signal.throwIfAborted();
    while (!(await upkeep.remove.partOfRun(run.runId)));
  }
  return finding;
}

/** The things that runs, or people, go on from: they stay unless `includeCurrent` was asked for. */
async function pruneCurrent({ look, upkeep, request, signal }: PruneOptions): Promise<readonly Finding[]> {
  const { before, includeCurrent } = request;
  const going = <Item>(finding: Finding, items: readonly Item[], timeOf: (item: Item) => Date): readonly Item[] => {
    signal.throwIfAborted();
    const reasonOf = (item: Item): StayReason | undefined => {
      if (!includeCurrent) return "current";
      return timeOf(item) < before ? undefined : "younger";
    };
    return items.filter((item) => finding.add(reasonOf(item)));
  };
  const [watermarks, decisions] = [new Finding("watermarks"), new Finding("decisions")];
  const [work, evaluations] = [new Finding("submitted work"), new Finding("evaluations")];
  for await (const page of pagesOf(look.watermarks.list))
    for (const { pipeline, name } of going(watermarks, page, ({ savedAt }) => savedAt))
      await upkeep?.watermarks.forget(pipeline, name);
  for await (const page of pagesOf(look.overrides.list))
    for (const { pipeline, step, inputHash } of going(decisions, page, ({ decidedAt }) => decidedAt))
      await upkeep?.overrides.forget(pipeline, step, [inputHash]);
  for await (const page of pagesOf(look.work.list))
    for (const { id } of going(work, page, ({ updatedAt }) => updatedAt)) await upkeep?.remove.work(id);
  for await (const page of pagesOf(look.evaluations.list)) {
    const ids = going(evaluations, page, ({ startedAt }) => startedAt).map(({ id }) => id);
    if (ids.length > 0) await upkeep?.remove.evaluations(ids);
  }
  return [watermarks, decisions, work, evaluations];
}
