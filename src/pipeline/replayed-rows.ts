import { setImmediate } from "node:timers/promises";
import type { DeadLetterReplay, DeadRow } from "../contracts/dead-letter.ts";
import type { RunEvent } from "../contracts/events.ts";
import type { ReplayReport } from "../contracts/report.ts";
import type { AnySource, SourceRow } from "../contracts/source.ts";
import { closest } from "../errors/closest.ts";
import { errorCodes } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";

/** So many rows at a time are looked up in the journal. */
const pageSize = 1000;

/** When rows were last written, by primary key, as far as they were. */
type WrittenAt = (pks: readonly string[]) => Promise<ReadonlyMap<string, Date>>;

/** Dead letters that are taken through their pipeline once more. Rows that get through leave. */
export class ReplayedRows {
  readonly #name: string;
  readonly #replay: DeadLetterReplay;
  readonly #codes: readonly string[] | undefined;
  /** By number, the rows that are on their way. */
  readonly #onTheirWay = new Map<number, DeadRow>();
  /** By key, the rows that are to leave, and since when there is no need for their failure. */
  readonly #leaving = new Map<string, number>();
  #writtenSinceCount = 0;

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
  async begin(like: AnySource, writtenAt: WrittenAt): Promise<AnySource> {
    const chosen = await this.#chosenRows();
    const wanted: DeadRow[] = [];
    for (let start = 0; start < chosen.length; start += pageSize) {
      await setImmediate(); // a journal that never waits would keep signals from being served
      const page = chosen.slice(start, start + pageSize);
      const written = await writtenAt(page.map(({ pk }) => pk));
      wanted.push(...page.filter((row) => this.#isWanted(row, written.get(row.pk))));
    }
    return {
      name: this.#name,
      primaryKeyColumn: like.primaryKeyColumn,
      schema: like.schema,
      namesAreData: like.namesAreData,
      read: ({ signal }) => this.#read(wanted, signal),
      count: () => Promise.resolve(wanted.length),
    };
  }

  /** Sees what becomes of the rows. */
  observe(event: RunEvent): void {
    if (event.type !== "row-end") return;
    const row = this.#onTheirWay.get(event.position);
    this.#onTheirWay.delete(event.position);
    if (row === undefined || event.outcome === "pending") return;
    const { pk, errorCode } = event;
    // A row whose key the schema has changed has failed under its new one, so the failure under the old one is outdated.
    const isUnderNewKey = pk !== null && pk !== row.pk && errorCode !== "PRIMARY_KEY_DUPLICATE";
    if (errorCode === null || isUnderNewKey) this.#leaving.set(row.pk, Date.now());
  }

  /** Removes the rows that are to leave. */
  async finish(): Promise<void> {
    await this.#replay.finish(this.#leaving);
  }

  get figures(): Pick<ReplayReport, "writtenSinceCount" | "remainingCount" | "notReplayable" | "keptPath"> {
    return { writtenSinceCount: this.#writtenSinceCount, ...this.#replay.rest() };
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
    if (writtenMs === undefined || writtenMs < row.failedAtMs) return row.problem === null;
    this.#leaving.set(row.pk, writtenMs);
    this.#writtenSinceCount += 1;
    return false;
  }

  async *#read(rows: readonly DeadRow[], signal: AbortSignal): AsyncGenerator<SourceRow> {
    for (const row of rows) {
      if (signal.aborted) return;
      const raw = await this.#replay.raw(row);
      this.#onTheirWay.set(row.number, row);
      yield { position: row.number, raw };
    }
  }
}
