import type { JournalSession, KnownRow, PastRun, RunRecord } from "../contracts/journal.ts";
import type { JournalUpkeep, StoredUse } from "../contracts/journal-upkeep.ts";
import { copySpending } from "./copy-spending.ts";
import type { Look } from "./look.ts";
import { pagesOf, type RunAge, runAges } from "./runs.ts";
import { UsedAnswers } from "./used-answers.ts";

/** The pipeline whose part of a journal is meant. */
export interface OwnPart {
  readonly pipeline: string;
  /** The identities of its sinks. */
  readonly sinks: readonly string[];
}

export type CopiedKind =
  | "runs"
  | "answers"
  | "rows"
  | "decisions"
  | "submitted work"
  | "evaluations"
  | "spending"
  | "watermarks";

export interface CopyFinding {
  readonly what: CopiedKind;
  readonly copied: number;
  /** Those that the other journal had already: the same, or newer ones. */
  readonly kept: number;
}

export interface CopyOptions {
  /** The journal to copy from, which no run changes meanwhile. */
  readonly from: Look & { readonly part: OwnPart };
  /** The journal to copy to, held, and a look into it. */
  readonly to: { readonly upkeep: JournalSession & JournalUpkeep; readonly look: Look; readonly part: OwnPart };
  readonly signal: AbortSignal;
  /** Called as each kind begins. @default nobody wants to know */
  readonly onPart?: ((what: CopiedKind) => void) | undefined;
}

/** Answers may be long, and a page of them is in memory. */
const answersAtOnce = 200;
const rowsAtOnce = 1_000;

/**
 * Copies all that a journal holds of a pipeline into another journal, of any kind. What the other one has already stays unless it is older, so that
 * the same call again goes on where a process died. How far a source was read comes last, for it says that the rows are there.
 *
 * @throws the signal's reason, between two pages
 */
export async function copyJournal(options: CopyOptions): Promise<readonly CopyFinding[]> {
  const { from, to, onPart } = options;
  const parts: readonly (readonly [CopiedKind, (copying: Copying) => Promise<void>])[] = [
    ["runs", copyRuns],
    ["answers", copyAnswers],
    ["rows", copyRows],
    ["decisions", copyDecisions],
    ["submitted work", copyWork],
    ["evaluations", copyEvaluations],
    ["spending", copySpending],
    ["watermarks", copyWatermarks],
  ];
  const runs = await runAges(from);
  const own = new Map([...runs].filter(([, { pipeline }]) => pipeline === from.part.pipeline));
  const sinks = new Set([...from.part.sinks, ...[...own.values()].flatMap((run) => run.sinks)]);
  const toRuns = await runAges(to.look);
  const findings: Finding[] = [];
  for (const [what, copy] of parts) {
    onPart?.(what);
    const finding = new Finding(what);
    findings.push(finding);
    await copy({ ...options, runs, own, sinks, toRuns, finding });
  }
  return findings;
}

class Finding implements CopyFinding {
  readonly what: CopiedKind;
  copied = 0;
  kept = 0;

  constructor(what: CopiedKind) {
    this.what = what;
  }

  /** Counts it as copied, or as one that the other journal keeps. True if it is to be copied. */
  add(isCopied: boolean): boolean {
    if (isCopied) this.copied += 1;
    else this.kept += 1;
    return isCopied;
  }
}

interface Copying extends CopyOptions {
  readonly runs: ReadonlyMap<string, RunAge>;
  /** The runs of the pipeline. */
  readonly own: ReadonlyMap<string, RunAge>;
  /** The identities of the sinks to which it wrote. */
  readonly sinks: ReadonlySet<string>;
  /** The runs of the other journal. */
  readonly toRuns: ReadonlyMap<string, RunAge>;
  readonly finding: Finding;
}

/** The oldest first. A run's record comes last: where it is there, all of the run is. */
async function copyRuns({ from, to: { upkeep }, own, toRuns, finding, signal }: Copying): Promise<void> {
  const wanted = [...own.keys()].filter((runId) => finding.add(!toRuns.has(runId))).toReversed();
  for (const runId of wanted) {
    signal.throwIfAborted();
    while (!(await upkeep.remove.partOfRun(runId))); // of a copy that was interrupted
    await copyDetail({ from, upkeep, runId, signal });
    const { items } = await from.runs.list({ idPrefix: runId, limit: 1 });
    for (const run of items) await upkeep.runs.save(toRecord(run));
  }
}

function toRecord(run: PastRun): RunRecord {
  return { ...run, status: run.status === "interrupted" ? "running" : run.status };
}

interface RunDetail {
  readonly from: Look;
  readonly upkeep: JournalSession & JournalUpkeep;
  readonly runId: string;
  readonly signal: AbortSignal;
}

async function copyDetail({ from: { runs, contents }, upkeep, runId, signal }: RunDetail): Promise<void> {
  const copied = async <Item>(
    list: (
      ...[id, request]: Parameters<Look["runs"]["timeline"]>
    ) => Promise<{ items: readonly Item[]; next: string | null }>,
    save: (items: readonly Item[]) => Promise<void>,
  ): Promise<void> => {
    for await (const items of pagesOf(async (request) => await list(runId, request), rowsAtOnce)) {
      signal.throwIfAborted();
      if (items.length > 0) await save(items);
    }
  };
  await copied(runs.failures, upkeep.add.failures);
  await copied(runs.rows, async (rows) => await upkeep.runs.saveRows(runId, rows));
  await copied(contents.attempts, async (attempts) => await upkeep.runs.saveAttempts(runId, attempts));
  await copied(runs.timeline, async (slices) => await upkeep.runs.saveTimeline(runId, slices));
  await copied(runs.values, async (values) => await upkeep.runs.saveValues(runId, values));
}

/** Those that the pipeline paid for, and those that rows of its sinks use: another pipeline may have paid for these. */
async function copyAnswers({ from, to: { upkeep }, runs, own, sinks, finding, signal }: Copying): Promise<void> {
  const { contents } = from;
  const sinkKeys = new Set([...sinks].map((sink) => contents.sinkKey(sink)));
  const used = await UsedAnswers.in(from, runs, (sinkKey) => sinkKeys.has(sinkKey), signal);
  try {
    for await (const page of pagesOf(contents.answers, answersAtOnce)) {
      signal.throwIfAborted();
      const wanted = page.filter(({ runId, fingerprint }) => own.has(runId) || used.has(fingerprint));
      const there = await upkeep.answers.find(wanted.map(({ fingerprint }) => fingerprint));
      const missing = wanted.filter(({ fingerprint }) => finding.add(!there.has(fingerprint)));
      const answers = await from.answers.find(missing.map(({ fingerprint }) => fingerprint));
      await Promise.all([...answers].map(async (answer) => await upkeep.answers.save(...answer)));
    }
  } finally {
    used.close();
  }
}

async function copyRows(copying: Copying): Promise<void> {
  const { from, sinks, signal } = copying;
  for (const sink of sinks) {
    const uses = from.contents.uses.bind(undefined, from.contents.sinkKey(sink));
    for await (const page of pagesOf(uses, rowsAtOnce)) {
      signal.throwIfAborted();
      await copyRowsOf(copying, sink, page);
    }
  }
}

async function copyRowsOf(copying: Copying, sink: string, uses: readonly StoredUse[]): Promise<void> {
  const { from, finding } = copying;
  const { upkeep, look } = copying.to;
  const pks = uses.map(({ pk }) => pk);
  const [known, there, used] = await Promise.all([
    from.rows.find(sink, pks),
    look.rows.find(sink, pks),
    look.answers.findUsed(sink, pks),
  ]);
  const isWanted = ({ pk }: StoredUse): boolean => {
    const [ours, theirs] = [known.get(pk), there.get(pk)];
    if (theirs !== undefined) return ours !== undefined && timeOf(theirs, copying.toRuns) < timeOf(ours, copying.runs);
    return ours !== undefined || !used.has(pk);
  };
  const wanted = uses.filter((use) => finding.add(isWanted(use)));
  const children = await from.children.find(
    sink,
    wanted.map(({ pk }) => pk),
  );
  await upkeep.children.save(
    sink,
    [...children].map(([pk, ofRow]) => ({ pk, children: ofRow })),
  );
  const rows = wanted.map(({ pk }) => known.get(pk)).filter((row) => row !== undefined);
  await upkeep.rows.saveWritten(
    sink,
    rows.filter((row) => row.outcome === "written"),
  );
  await upkeep.add.failedRows(
    sink,
    rows.filter((row) => row.outcome === "failed"),
  );
  await upkeep.answers.saveUsed(
    sink,
    wanted.flatMap(({ pk, outcome, fingerprints }) =>
      outcome === "written" || fingerprints === null ? [] : [{ pk, fingerprints }],
    ),
  );
}

/** The time at which a row ended so, as far as it is known. */
function timeOf(row: KnownRow, runs: ReadonlyMap<string, RunAge>): number {
  if (row.outcome === "written") return row.completedAt.getTime();
  return runs.get(row.runId)?.startedAt.getTime() ?? 0;
}

async function copyDecisions({ from, to: { upkeep, part }, finding, signal }: Copying): Promise<void> {
  const { pipeline } = part;
  const list = async (request: Parameters<typeof from.overrides.list>[0]) =>
    await from.overrides.list({ ...request, pipeline: from.part.pipeline });
  for await (const page of pagesOf(list, rowsAtOnce)) {
    signal.throwIfAborted();
    for (const decision of page) {
      const { step, inputHash, decidedAt } = decision;
      const there = (await upkeep.overrides.find(pipeline, step, [inputHash])).get(inputHash);
      const isNewer = there === undefined || there.decidedAt < decidedAt;
      if (finding.add(isNewer)) await upkeep.overrides.save([{ ...decision, pipeline }]);
    }
  }
}

/** Its fingerprints come first: where the work is there, all of them are. */
async function copyWork({ from, to: { upkeep, look, part }, finding, signal }: Copying): Promise<void> {
  const there = new Map<string, Date>();
  for await (const page of pagesOf(look.work.list)) for (const { id, updatedAt } of page) there.set(id, updatedAt);
  for await (const page of pagesOf(from.work.list)) {
    for (const work of page.filter(({ pipeline }) => pipeline === from.part.pipeline)) {
      const { id, updatedAt } = work;
      if (!finding.add((there.get(id) ?? -Infinity) < updatedAt)) continue;
      for await (const fingerprints of pagesOf(async (request) => await from.work.fingerprints(id, request))) {
        signal.throwIfAborted();
        await upkeep.work.addFingerprints(id, fingerprints);
      }
      await upkeep.work.save({ ...work, pipeline: part.pipeline });
    }
  }
}

/** They keep the name of the pipeline that was evaluated, as runs do. */
async function copyEvaluations({ from, to: { upkeep }, finding, signal }: Copying): Promise<void> {
  const list = async (request: Parameters<typeof from.evaluations.list>[0]) =>
    await from.evaluations.list({ ...request, pipeline: from.part.pipeline });
  for await (const page of pagesOf(list, 100)) {
    signal.throwIfAborted();
    for (const evaluation of page.toReversed()) {
      const there = await upkeep.evaluations.find(evaluation.id);
      if (finding.add(there === undefined)) await upkeep.evaluations.save(evaluation);
    }
  }
}

async function copyWatermarks({ from, to: { upkeep, part }, finding }: Copying): Promise<void> {
  const { pipeline } = part;
  for await (const page of pagesOf(from.watermarks.list, 100)) {
    for (const watermark of page.filter((each) => each.pipeline === from.part.pipeline)) {
      const there = await upkeep.watermarks.find(pipeline, watermark.name);
      const isNewer = there === undefined || there.savedAt < watermark.savedAt;
      if (finding.add(isNewer)) await upkeep.watermarks.save({ ...watermark, pipeline });
    }
  }
}
