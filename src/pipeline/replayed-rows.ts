import { setImmediate } from "node:timers/promises";
import type { DeadLetterReplay, DeadRow } from "../contracts/dead-letter.ts";
import type { RunEvent } from "../contracts/events.ts";
import type { ReplayReport, RunReport } from "../contracts/report.ts";
import type { AnySource, ReadContext, SourceRow } from "../contracts/source.ts";
import { keyAsGiven } from "../engine/primary-key.ts";
import { closest } from "../errors/closest.ts";
import { errorCodes } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";

/** So many rows at a time are looked up in the journal. */
const pageSize = 1000;

/** When rows were last written, by primary key, as far as they were. */
type WrittenAt = (pks: readonly string[]) => Promise<ReadonlyMap<string, Date>>;

/**
 * Dead letters that are taken through their pipeline once more: each row as its source has it now, or as it failed where the source
 * can't find it by key. Rows that get through leave.
 */
export class ReplayedRows {
  readonly #name: string;
  readonly #replay: DeadLetterReplay;
  readonly #codes: readonly string[] | undefined;
  /** By position, the rows that are on their way. More than one are the same row of the source, under a key before its schema and after. */
  readonly #onTheirWay = new Map<number, readonly DeadRow[]>();
  /** By key, the rows that are to leave, and since when there is no need for their failure. */
  readonly #leaving = new Map<string, number>();
  readonly #counts = { writtenSinceCount: 0, asInSourceCount: 0, asFailedCount: 0, notInSourceCount: 0 };

  constructor({
    name,
    replay,
    codes,
  }: {
    name: string;
    replay: DeadLetterReplay;
    codes: readonly string[] | undefined;
  }) {
    this.#name = name;
    this.#replay = replay;
    this.#codes = codes;
  }

  /**
   * Returns a source of the rows that have not been written since they failed.
   *
   * @throws {RunError} if the dead letters can't be read
   * @throws {OptionError} if rows with an error code are wanted that neither llm-etl nor the dead letters know
   */
  async begin(source: AnySource, writtenAt: WrittenAt): Promise<AnySource> {
    const chosen = await this.#chosenRows();
    const wanted: DeadRow[] = [];
    for (let start = 0; start < chosen.length; start += pageSize) {
      await setImmediate(); // a journal that never waits would keep signals from being served
      const page = chosen.slice(start, start + pageSize);
      const written = await writtenAt(page.map(({ pk }) => pk));
      const rows = page.filter((row) => this.#isWanted(row, written.get(row.pk)));
      wanted.push(...rows.filter(({ problem }) => problem === null || source.find !== undefined));
    }
    return {
      name: this.#name,
      primaryKeyColumn: source.primaryKeyColumn,
      schema: source.schema,
      namesAreData: source.namesAreData,
      read: (context) => this.#read(source, wanted, context),
      count: () => Promise.resolve(wanted.length),
    };
  }

  /** Sees what becomes of the rows. */
  observe(event: RunEvent): void {
    if (event.type !== "row-end") return;
    const rows = this.#onTheirWay.get(event.position) ?? [];
    this.#onTheirWay.delete(event.position);
    if (event.outcome === "pending") return;
    const { pk, errorCode } = event;
    for (const row of rows) {
      // A row whose key the schema has changed has failed under its new one, so the failure under the old one is outdated.
      const isUnderNewKey = pk !== null && pk !== row.pk && errorCode !== "PRIMARY_KEY_DUPLICATE";
      if (errorCode === null || isUnderNewKey) this.#leaving.set(row.pk, Date.now());
    }
  }

  /** Removes the rows that are to leave. */
  async finish(): Promise<void> {
    await this.#replay.finish(this.#leaving);
  }

  get figures(): Omit<ReplayReport, keyof RunReport> {
    return { ...this.#counts, ...this.#replay.rest() };
  }

  async #chosenRows(): Promise<readonly DeadRow[]> {
    const known = new Set<string>(errorCodes);
    const chosen: DeadRow[] = [];
    for await (const row of this.#replay.rows()) {
      known.add(row.errorCode);
      if (this.#codes?.includes(row.errorCode) ?? true) chosen.push(row);
    }
    const unknown = this.#codes?.find((code) => !known.has(code));
    if (unknown === undefined) return chosen;
    const [nearest] = closest(unknown, [...known], 1);
    const hint = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
    throw new OptionError("replay", "codes", `no row of the file has failed with ${JSON.stringify(unknown)}${hint}`);
  }

  #isWanted(row: DeadRow, writtenAt: Date | undefined): boolean {
    const writtenMs = writtenAt?.getTime();
    // A row's failure is forgotten by the journal when it is written, so of two equal times that was the later.
    if (writtenMs === undefined || writtenMs < row.failedAtMs) return true;
    this.#leaving.set(row.pk, writtenMs);
    this.#counts.writtenSinceCount += 1;
    return false;
  }

  async *#read(source: AnySource, rows: readonly DeadRow[], context: ReadContext): AsyncGenerator<SourceRow> {
    const { byKey, withoutKey } = await this.#keysInSource(source, rows);
    const found = byKey.size === 0 ? undefined : await source.find?.([...byKey.keys()], context);
    if (found === undefined) {
      yield* this.#asFailed(rows, context);
      return;
    }
    for await (const row of found) {
      const key = "error" in row ? undefined : keyAsGiven(row.raw, source.primaryKeyColumn);
      const same = key === undefined ? undefined : byKey.get(key);
      const position = same?.at(-1)?.number;
      if (key === undefined || same === undefined || position === undefined) continue;
      byKey.delete(key);
      this.#onTheirWay.set(position, same);
      this.#counts.asInSourceCount += 1;
      yield { ...row, position };
    }
    if (context.signal.aborted) return; // a reading that was cut short tells of no row that it is gone
    for (const same of byKey.values()) this.#counts.notInSourceCount += same.length;
    yield* this.#asFailed(withoutKey, context);
  }

  /** The rows by their key in the source, before its schema, which may make another of it; and those whose key there is not known. */
  async #keysInSource(
    { find, primaryKeyColumn, schema }: AnySource,
    rows: readonly DeadRow[],
  ): Promise<{ readonly byKey: Map<string, DeadRow[]>; readonly withoutKey: readonly DeadRow[] }> {
    const byKey = new Map<string, DeadRow[]>();
    const withoutKey: DeadRow[] = [];
    if (find === undefined) return { byKey, withoutKey: rows };
    for (const row of rows) {
      const isChanged = schema !== undefined && row.problem === null;
      const key = isChanged ? keyAsGiven(await this.#replay.raw(row), primaryKeyColumn) : row.pk;
      const same = key === undefined ? withoutKey : (byKey.get(key) ?? []);
      same.push(row);
      if (key !== undefined) byKey.set(key, same);
    }
    return { byKey, withoutKey };
  }

  async *#asFailed(rows: readonly DeadRow[], { signal }: ReadContext): AsyncGenerator<SourceRow> {
    for (const row of rows) {
      if (signal.aborted) return;
      if (row.problem !== null) continue;
      const raw = await this.#replay.raw(row);
      this.#onTheirWay.set(row.number, [row]);
      this.#counts.asFailedCount += 1;
      yield { position: row.number, raw };
    }
  }
}
