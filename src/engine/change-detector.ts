import { hash } from "node:crypto";
import type { BadRow, JournalSession, RowUse, WrittenRow } from "../contracts/journal.ts";
import type { ColumnValues, Destination, Each, RowGroup, Sink, SinkSession } from "../contracts/sink.ts";
import { ChildRows, type RowsOfGroup } from "./child-rows.ts";
import { mapColumns, assertFits } from "./column-map.ts";
import { gathered } from "./gathered.ts";
import { GroupKeys } from "./group-keys.ts";
import { itemsOf } from "./items-of-row.ts";
import type { LookAhead } from "./look-ahead.ts";
import { TargetError } from "../errors/sink.ts";
import { reversible, toJSONValue } from "../json/json.ts";
import { type GlobalState, ItemState, SinkState } from "./state.ts";
import type { Lineage } from "../contracts/state.ts";

type AnyState = GlobalState<object, Readonly<Record<string, unknown>>>;
type AnySinkState = SinkState<object, Readonly<Record<string, unknown>>>;
type RowLineage = Readonly<Record<string, Lineage | null>>;

/** A row as the sink is to see it. */
export interface MappedRow {
  readonly group: RowGroup;
  /** True if the target holds these very values since an earlier write. */
  readonly isUnchanged: boolean;
  /** The record to save once the row is written; undefined where nothing is saved. */
  readonly record: WrittenRow | undefined;
  /** The record of its last write, which this one replaces. @default there is none */
  readonly before?: WrittenRow | undefined;
  /** The answers that it used, where the record does not say so and the journal does not know it. @default it is known */
  readonly use?: RowUse | undefined;
  /** The group's rows in the target before and after, where it may have several and the journal knows them. */
  readonly ofGroup?: RowsOfGroup | undefined;
}

export interface ChangeDetectorOptions extends Destination {
  readonly runId: string;
  readonly journal: JournalSession | undefined;
  /** @default nothing is looked up ahead */
  readonly lookAhead?: Pick<LookAhead, "row" | "used"> | undefined;
}

/** Unchanged rows are looked for in the target: the first, second, fourth, eighth, and then one in so many. */
const lookEvery = 1024;

const ofNoValues = "0".repeat(64);

/** Knows what earlier runs wrote to the sink, so that a row whose values did not change is not written again. */
export class ChangeDetector {
  readonly #sink: Sink<never>;
  readonly #each: Each | undefined;
  readonly #children: ChildRows | undefined;
  readonly #groupKeys: GroupKeys | undefined;
  /** The target's columns, sorted. */
  readonly #columns: readonly string[];
  readonly #runId: string;
  readonly #journal: JournalSession | undefined;
  /** Undefined where there is no journal, or where the sink keeps no rows from run to run. */
  readonly #rows: JournalSession["rows"] | undefined;
  readonly #find: (pk: string) => Promise<WrittenRow | undefined>;
  readonly #findUsed: (pk: string) => Promise<readonly string[] | undefined>;
  #session: SinkSession | undefined;
  #unchangedCount = 0;
  #looking: Promise<void> | undefined;

  constructor({ sink, each, runId, journal, lookAhead }: ChangeDetectorOptions) {
    this.#sink = sink;
    this.#each = each;
    this.#columns = Object.keys(sink.columnMap).toSorted();
    this.#runId = runId;
    this.#journal = journal;
    const rows = sink.keepsRows ? journal?.rows : undefined;
    const { identity } = sink;
    this.#rows = rows;
    const { groups } = sink;
    const isKnown = each !== undefined && rows !== undefined && journal !== undefined && groups !== undefined;
    this.#children = isKnown ? new ChildRows(journal.children, identity, groups) : undefined;
    this.#groupKeys = each && groups && new GroupKeys(sink.columnMap, groups);
    this.#find =
      rows === undefined
        ? nothing
        : gathered(async (pks) => await rows.find(identity, pks), lookAhead && ((pk) => lookAhead.row(identity, pk)));
    this.#findUsed =
      journal === undefined
        ? nothing
        : gathered(
            async (pks) => await journal.answers.findUsed(identity, pks),
            lookAhead && ((pk) => lookAhead.used(identity, pk)),
          );
  }

  /**
   * Forgets what was written where everything is to be written `fresh`.
   *
   * @throws {TargetError} if rows were written to the target, and it is empty
   */
  async begin(session: SinkSession, fresh: boolean): Promise<void> {
    const { identity } = this.#sink;
    this.#session = session;
    if (this.#rows === undefined) return;
    if (fresh) return await this.#rows.forgetAll(identity);
    if (this.#each !== undefined) return; // where no row had an item, the target is rightly empty
    if (session.isEmpty === undefined || !(await this.#rows.hasWritten(identity))) return;
    if (await session.isEmpty()) throw targetEmptiedError(this.#sink);
  }

  /**
   * Maps a row: with the facts of its last write (its time, its lineage), so that columns which show them stay as they
   * are; where the values differ nonetheless, with those of now.
   *
   * @throws {ColumnMapError} if a function of the map throws or returns a promise
   * @throws {EachError} as `itemsOf`; and if another row of the run has the row's group
   * @throws {ValueError} if the sink says that the target can't hold a value
   * @throws {TargetError} if the target turns out not to hold a row that did not change
   */
  async map(state: AnyState, lineage: RowLineage, usedAnswers: readonly string[] = []): Promise<MappedRow> {
    this.#groupKeys?.claim(state);
    const before = await this.#find(state.pk);
    if (before !== undefined) {
      const group = this.#mapAsBefore(state, lineage, before);
      if (group !== undefined && this.#hashOf(group) === before.valuesHash) {
        this.#check(group, before.targetKey);
        const confirming = this.#confirm(group);
        if (confirming !== undefined) await confirming;
        if (!isSame(usedAnswers, before.fingerprints))
          await this.#saveUsed([{ pk: state.pk, fingerprints: usedAnswers }]);
        return { group, isUnchanged: true, record: undefined };
      }
    }
    const facts = { completedAt: new Date(), run: { id: this.#runId }, lineage };
    const mapped = this.#mapGroup(new SinkState(state, facts));
    const ofGroup = await this.#children?.compare(mapped);
    const group = ofGroup === undefined ? mapped : { ...mapped, gone: ofGroup.gone };
    this.#check(group);
    if (this.#rows === undefined) {
      const use = await this.#newUse(state.pk, usedAnswers);
      return { group, isUnchanged: false, record: undefined, use };
    }
    const { completedAt } = facts;
    const { pk, startedAt } = state;
    const keyOf = (): string => this.#keyOf(group);
    const record: WrittenRow = {
      pk,
      // Read as the row is saved: once it is written, the sink may know better than now.
      get targetKey() {
        return keyOf();
      },
      valuesHash: this.#hashOf(group),
      runId: this.#runId,
      startedAt,
      completedAt,
      lineage,
      fingerprints: usedAnswers,
    };
    return { group, isUnchanged: false, record, before, ofGroup };
  }

  /** To be called before rows are written: a run that is killed before `saveWritten` leaves rows in the target that the next one must know. */
  async beforeWrite(rows: readonly Pick<MappedRow, "before" | "ofGroup">[]): Promise<void> {
    const replaced = rows.flatMap(({ before }) => (before === undefined ? [] : inDoubt(before)));
    await Promise.all([
      replaced.length > 0 && this.#rows?.saveWritten(this.#sink.identity, replaced),
      this.#children?.beforeWrite(rows.flatMap(({ ofGroup }) => ofGroup ?? [])),
    ]);
  }

  /** To be called for a row that the target rejected: nothing of it is there that was not before. */
  async notWritten({ ofGroup }: Pick<MappedRow, "ofGroup">): Promise<void> {
    if (ofGroup !== undefined) await this.#children?.notWritten(ofGroup);
  }

  async saveWritten(written: readonly Pick<MappedRow, "record" | "use" | "ofGroup">[]): Promise<void> {
    const rows = written.flatMap(({ record }) => record ?? []);
    if (rows.length > 0) await this.#rows?.saveWritten(this.#sink.identity, rows);
    await this.#children?.written(written.flatMap(({ ofGroup }) => ofGroup ?? []));
    await this.#saveUsed(written.flatMap(({ use }) => use ?? []));
  }

  async saveFailed(row: BadRow, usedAnswers: readonly string[] = []): Promise<void> {
    const { pk, ownsKey } = row;
    const isUsing = pk !== null && ownsKey && usedAnswers.length > 0;
    await Promise.all([
      this.#journal?.rows.saveFailed(this.#sink.identity, [row]),
      isUsing && this.#saveUsed([{ pk, fingerprints: usedAnswers }]),
    ]);
  }

  close(): void {
    this.#groupKeys?.close();
  }

  async #saveUsed(uses: readonly RowUse[]): Promise<void> {
    if (uses.length > 0) await this.#journal?.answers.saveUsed(this.#sink.identity, uses);
  }

  /** Of a row at a sink that keeps none: undefined where it used no answer, or the same ones as before. */
  async #newUse(pk: string, fingerprints: readonly string[]): Promise<RowUse | undefined> {
    if (fingerprints.length === 0 || this.#journal === undefined) return undefined;
    return isSame(fingerprints, await this.#findUsed(pk)) ? undefined : { pk, fingerprints };
  }

  #mapAsBefore(state: AnyState, lineage: RowLineage, before: WrittenRow): RowGroup | undefined {
    const { completedAt, startedAt, runId } = before;
    const facts = { completedAt, run: { id: runId }, lineage: { ...lineage, ...before.lineage } };
    const stateThen = new SinkState(
      { pk: state.pk, raw: state.raw, processed: state.processed, log: state.log, startedAt },
      facts,
    );
    try {
      return this.#mapGroup(stateThen);
    } catch {
      return undefined; // with the facts of now it throws again, or the row has changed
    }
  }

  #mapGroup(state: AnySinkState): RowGroup {
    const { columnMap } = this.#sink;
    const map = (of: AnySinkState): ColumnValues => mapColumns(columnMap, of as never); // the builder's types have matched them
    const each = this.#each;
    const { pk } = state;
    if (each === undefined) return { pk, rows: [map(state)] };
    return { pk, rows: itemsOf(each, state).map((item, index) => map(new ItemState(state, item, index))) };
  }

  /** A hash of the values by column name. NULL is a value, and a text is not the number or date that it spells. */
  #hashOf({ rows }: RowGroup): string {
    const contents = rows.map((values) => this.#columns.map((column) => [column, contentOf(values[column])]));
    return hash("sha256", JSON.stringify(this.#each === undefined ? contents[0] : { rows: contents }), "hex");
  }

  /** @param unchangedKey of a row that is not written, because it did not change */
  #check({ rows }: RowGroup, unchangedKey?: string): void {
    if (this.#session === undefined) return;
    for (const values of rows) assertFits(this.#sink.name, this.#session, values, unchangedKey);
  }

  /** The group's place in the target: the key of its one row. Rows of a row that may have several are known one by one. */
  #keyOf({ pk, rows: [values] }: RowGroup): string {
    return (values === undefined || this.#each !== undefined ? undefined : this.#session?.keyOf?.(values)) ?? pk;
  }

  /** Looks for some rows in the target; the rows after one of these wait for what is found. Undefined where there is nothing to wait for. */
  #confirm(group: RowGroup): Promise<void> | undefined {
    if (group.rows.length === 0) return this.#looking;
    this.#unchangedCount += 1;
    const count = this.#unchangedCount;
    const isDue = count % lookEvery === 0 || (count < lookEvery && Number.isInteger(Math.log2(count)));
    return isDue ? this.#look(group) : this.#looking;
  }

  async #look(group: RowGroup): Promise<void> {
    const looking = this.#lookFor(group);
    this.#looking = looking;
    await looking; // of one that fails the rows after it are to know
    if (this.#looking === looking) this.#looking = undefined;
  }

  async #lookFor({ rows: [values] }: RowGroup): Promise<void> {
    if (values === undefined || ((await this.#session?.holds?.(values)) ?? true)) return;
    throw new TargetError(this.#sink.name, `a row is missing in ${this.#sink.identity}, although ${lost}`);
  }
}

/** The record of a row while it is written anew: the target may have its old values or its new ones, at either place. None, where it says so already. */
function inDoubt(before: WrittenRow): readonly WrittenRow[] {
  return before.valuesHash === ofNoValues ? [] : [{ ...before, targetKey: before.pk, valuesHash: ofNoValues }];
}

async function nothing(): Promise<undefined> {}

function isSame(used: readonly string[], before: readonly string[] | null | undefined): boolean {
  return before?.length === used.length && before.every((one, index) => one === used[index]);
}

/** The error of a run whose journal knows rows of a target that is empty: it aborts before the start. */
export function targetEmptiedError({ name, identity }: Pick<Sink<never>, "name" | "identity">): TargetError {
  return new TargetError(name, `${identity} is empty, but ${lost}`);
}

const lost =
  "the journal has rows that were written there: the table was emptied, restored or swapped for another. " +
  "If that was meant, run once with fresh: true (--fresh): every row is written again, and no answer is paid for twice";

function contentOf(value: unknown): unknown {
  if (typeof value === "string") return value; // as most are
  if (typeof value === "number" && !Number.isFinite(value)) return { $number: String(value) }; // JSON has none of these
  return toJSONValue(value, reversible) ?? null;
}
