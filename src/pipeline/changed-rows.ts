import type { EventHandler, RunEvent } from "../contracts/events.ts";
import type { JournalSession } from "../contracts/journal.ts";
import type { ChangesRead } from "../contracts/report.ts";
import type { SinkSession } from "../contracts/sink.ts";
import type { AnySource, ChangePlace, ChangeReading, ReadContext, SourceRow } from "../contracts/source.ts";
import { keyAsGiven } from "../engine/primary-key.ts";
import { changeBasis, differences, withLimits } from "./change-basis.ts";
import { ChangeProgress, mostDue } from "./change-progress.ts";
import { decidedSince, type Decisions, decisionsApplied, decisionsIn } from "./decided-rows.ts";
import type { ResolvedPipeline } from "./resolve.ts";
import { writtenEverywhere } from "./written-rows.ts";

/** The watermark's name. A pipeline has one: with another statement, other parameters or another target everything is read again. */
export const watermarkName = "changes";

/** So many keys at a time are looked up in the journal. */
const pageSize = 1000;

export interface ChangedRowsOptions {
  readonly pipeline: ResolvedPipeline;
  readonly changes: ChangeReading;
  readonly journal: JournalSession;
  readonly emit: EventHandler;
}

/** The point at which earlier runs have left off. */
interface Beginning {
  readonly basis: string;
  /** The basis of the run that left off; undefined where there is none. */
  readonly basisBefore: string | undefined;
  readonly place: ChangePlace | undefined;
  readonly due: readonly string[];
  /** Those of the journal, and those that rows had in the target before. */
  readonly decisions: Decisions;
  readonly decisionsBefore: Decisions;
  /** Why everything is read, in clauses. */
  readonly reasons: readonly string[];
}

/** The rows of a run that reads what changed since the last one, and rows that are due. It keeps in the journal how far it came. */
export class ChangedRows {
  readonly #options: ChangedRowsOptions;
  #beginning: Beginning;
  #progress: ChangeProgress;
  #savedChangeCount = 0;
  #saving: Promise<void> = Promise.resolve();

  static async begin(options: ChangedRowsOptions): Promise<ChangedRows> {
    const { pipeline, changes, journal } = options;
    const basis = await changeBasis(pipeline, changes);
    const stored = await journal.watermarks.find(pipeline.name, watermarkName);
    const decisions = await decisionsIn(pipeline);
    const reasons = reasonsOf(pipeline, basis, stored?.basis);
    if (stored !== undefined && reasons.length === 0) {
      const { place, due, decisionsBefore } = parseProgress(stored.value);
      const decided = decidedSince(decisions, decisionsBefore);
      if (decided.length <= mostDue) {
        const all = [...new Set([...(await notWritten(due, options)), ...decided])];
        const basisBefore = stored.basis;
        return new ChangedRows(options, { basis, basisBefore, place, due: all, decisions, decisionsBefore, reasons });
      }
      reasons.push(`what people decided on more than ${mostDue} rows changed`);
    }
    // The sink's rows are forgotten before any is read.
    if (pipeline.settings.fresh) await forgetChanges(journal, pipeline.name);
    return new ChangedRows(options, beginningWithAll({ basis, decisions, reasons }));
  }

  private constructor(options: ChangedRowsOptions, beginning: Beginning) {
    this.#options = options;
    this.#beginning = beginning;
    this.#progress = new ChangeProgress(beginning.place, beginning.due);
  }

  /** The rows as a source. */
  get source(): AnySource {
    const { source } = this.#options.pipeline;
    const { name, primaryKeyColumn, schema, namesAreData, count } = source;
    const { place } = this.#beginning;
    const read = (context: ReadContext): AsyncGenerator<SourceRow> => this.#read(context);
    const canCount = place === undefined && count !== undefined;
    return { name, primaryKeyColumn, schema, namesAreData, read, ...(canCount && { count }) };
  }

  /** Takes the limits of the targets, before the first row is read. */
  targetsOpened(sessions: readonly SinkSession[]): void {
    const limits = sessions.map((session) => session.limits ?? {});
    const beginning = { ...this.#beginning, basis: withLimits(this.#beginning.basis, limits) };
    const { basis, basisBefore } = beginning;
    const reasons = basisBefore === undefined ? [] : differences(basis, basisBefore).map(asReason);
    this.#beginning = reasons.length === 0 ? beginning : beginningWithAll({ ...beginning, reasons });
    this.#progress = new ChangeProgress(this.#beginning.place, this.#beginning.due);
  }

  /** Sees what becomes of the rows. */
  observe(event: RunEvent): void {
    if (event.type === "row-end") this.#progress.ended(event.position, event.outcome);
  }

  /** Saves how far it came: all that ended before the call. */
  async save(): Promise<void> {
    this.#saving = this.#saving.then(async () => await this.#save());
    await this.#saving;
  }

  async #save(): Promise<void> {
    const { pipeline, journal } = this.#options;
    const { place, due, changeCount } = this.#progress;
    if (place === undefined || changeCount === this.#savedChangeCount) return;
    const { basis, decisions, decisionsBefore } = this.#beginning;
    const decided = [...decisionsApplied(decisions, decisionsBefore, new Set(due))];
    const value = JSON.stringify({ exact: place.exact, shown: place.shown, due, decided });
    await journal.watermarks.save({
      pipeline: pipeline.name,
      name: watermarkName,
      value,
      basis,
      savedAt: new Date(),
    });
    this.#savedChangeCount = changeCount;
  }

  async *#read(context: ReadContext): AsyncGenerator<SourceRow, void, undefined> {
    const { pipeline, changes, journal, emit } = this.#options;
    const { source } = pipeline;
    const { place: since, due, reasons } = this.#beginning;
    emit({ type: "changes", ...this.#facts });
    const dueKeys = new Set(due);
    let position = 0;
    for await (const { place, ...row } of changes.read(since?.exact, context)) {
      position += 1;
      // Before any row is written: a run that is stopped, or one with the old prompt again, must not go on from there.
      if (position === 1 && reasons.length > 0) await forgetChanges(journal, pipeline.name);
      const key = keyOf(row, source);
      if (key !== undefined) dueKeys.delete(key);
      this.#progress.read(position, key, place);
      yield { ...row, position };
    }
    if (dueKeys.size === 0 || context.signal.aborted) return;
    for await (const row of (await source.find?.([...dueKeys], context)) ?? []) {
      position += 1;
      const key = keyOf(row, source);
      if (key !== undefined) dueKeys.delete(key);
      this.#progress.read(position, key, null);
      yield { ...row, position };
    }
    if (!context.signal.aborted) this.#progress.forget(dueKeys); // a reading that was cut short tells of no row that it is gone
  }

  get #facts(): ChangesRead {
    const { place, due, reasons } = this.#beginning;
    const { by } = this.#options.changes;
    return {
      by,
      rows: place === undefined ? "all" : "changes",
      since: place?.shown ?? null,
      dueCount: due.length,
      reasons,
    };
  }
}

/** Forgets how far the changes were read: the next run reads everything. */
export async function forgetChanges({ watermarks }: JournalSession, pipeline: string): Promise<void> {
  if ((await watermarks.find(pipeline, watermarkName)) === undefined) return;
  await watermarks.forget(pipeline, watermarkName);
}

function reasonsOf({ settings }: ResolvedPipeline, basis: string, before: string | undefined): string[] {
  if (settings.fresh) return ["fresh was asked for"];
  if (settings.full) return ["full was asked for"];
  if (before === undefined) return ["no run before it got so far as to know what changed"];
  return differences(basis, before).map(asReason);
}

function asReason(part: string): string {
  return `${part} changed`;
}

function beginningWithAll(known: Pick<Beginning, "basis" | "decisions" | "reasons">): Beginning {
  return { ...known, basisBefore: undefined, place: undefined, due: [], decisionsBefore: new Map() };
}

/** The keys among these whose rows are not in each target since they failed, by a replay say. */
async function notWritten(
  due: readonly string[],
  { journal, pipeline }: ChangedRowsOptions,
): Promise<readonly string[]> {
  const left: string[] = [];
  for (let start = 0; start < due.length; start += pageSize) {
    const page = due.slice(start, start + pageSize);
    const written = await writtenEverywhere(journal, pipeline.destinations, page);
    left.push(...page.filter((pk) => !written.has(pk)));
  }
  return left;
}

/** The key as the source gave it: by that it is found. */
function keyOf({ raw }: SourceRow, { primaryKeyColumn }: AnySource): string | undefined {
  const isRow = typeof raw === "object" && raw !== null;
  return isRow ? keyAsGiven(raw as Readonly<Record<string, unknown>>, primaryKeyColumn) : undefined; // an object has fields by name
}

export function parseProgress(text: string): Pick<Beginning, "place" | "due" | "decisionsBefore"> {
  const { exact, shown, due, decided = [] }: StoredProgress = JSON.parse(text); // as it was saved
  return { place: { exact, shown, isSettled: true }, due, decisionsBefore: new Map(decided) };
}

interface StoredProgress {
  readonly exact: string;
  readonly shown: string | null;
  readonly due: string[];
  readonly decided?: [string, string][];
}
