import type { EarlierRun, RunEvent } from "../contracts/events.ts";
import { roundAmount } from "../llm/pricing.ts";

/** The rest of a run, projected. */
export interface RestOfRun {
  /** Rows that have not ended. */
  readonly rows: number;
  /** Those of them for which a model is expected to be asked; the others have their answers in the journal. */
  readonly paidRows: number;
  /** Their cost, in the run's currency, with a 95 % interval; undefined while nothing tells what a row costs. */
  readonly cost: { readonly estimate: number; readonly low: number; readonly high: number } | undefined;
}

/** So many rows tell what the others of their kind cost. */
const enoughRows = 20;

/** Fewer tell nothing. */
const leastRows = 5;

/** The place that a normal value exceeds in 2.5 % of cases. */
const z = 1.96;

/** The cost of a row in an earlier run may be off by so much of it. */
const earlierOff = 0.3;

/**
 * Projects the rest of a run from the rows that have ended, whatever their order. Four kinds are counted apart: rows that the last run did, whose
 * answers are in the journal; rows that only earlier runs did, whose answers may be those to another prompt; rows that failed in the last run
 * and fail again; and new ones.
 */
export class RestProjection {
  #done = new RowCosts();
  #older = new RowCosts();
  readonly #failed = new RowCosts();
  readonly #new = new RowCosts();
  /** By primary key, of rows on their way. */
  readonly #onTheirWay = new Map<string, { cost: number; isPaid: boolean; isReused: boolean }>();
  #earlier: EarlierRun | undefined;
  #totalCount: number | undefined;
  #endedCost = 0;

  add(event: RunEvent): void {
    if (event.type === "source-count") {
      this.#totalCount = event.rowCount;
      this.#earlier = event.earlier ?? undefined;
      [this.#done, this.#older] = [this.#older, this.#done]; // rows that ended before are the first of the last run's
    }
    if (event.type === "call-end" && event.wasSent !== false) {
      const row = this.#row(event.pk);
      row.isPaid = true;
      row.cost += event.cost ?? 0;
    }
    if (event.type === "answer-reuse" && event.isOfThisRun !== true) this.#row(event.pk).isReused = true;
    if (event.type !== "row-end") return;
    const { pk, outcome, wasWritten = false } = event;
    const { cost, isPaid, isReused } = this.#row(pk ?? "");
    this.#onTheirWay.delete(pk ?? "");
    if (outcome === "pending") return;
    this.#endedCost += cost;
    const hasFailed = outcome === "failed" || outcome === "skipped";
    this.#kind({ isKnown: isReused || wasWritten, hasFailed }).add({ cost, isPaid, hasFailed });
  }

  #kind({ isKnown, hasFailed }: { readonly isKnown: boolean; readonly hasFailed: boolean }): RowCosts {
    const { doneRows = 0, failedRows = 0 } = this.#earlier ?? {};
    if (isKnown) return this.#done.count < doneRows ? this.#done : this.#older;
    return hasFailed && this.#failed.count < failedRows ? this.#failed : this.#new;
  }

  /** The cost of the rows that have ended. */
  get endedCost(): number {
    return roundAmount(this.#endedCost);
  }

  /** The rows that have ended for which a model was asked. */
  get paidCount(): number {
    return this.#kinds.reduce((sum, { paidCount }) => sum + paidCount, 0);
  }

  /** Undefined where the source has not counted its rows. */
  get rest(): RestOfRun | undefined {
    if (this.#totalCount === undefined) return undefined;
    const rows = Math.max(0, this.#totalCount - this.#kinds.reduce((sum, { count }) => sum + count, 0));
    const { doneRows = 0, failedRows = 0 } = this.#earlier ?? {};
    let left = rows;
    const take = (count: number): number => {
      const taken = Math.min(left, Math.max(0, count));
      left -= taken;
      return taken;
    };
    const done = take(doneRows - this.#done.count);
    const older = take(this.#olderRows - this.#older.count);
    const failed = take(failedRows - this.#failed.count);
    const parts = [
      this.#part(done, this.#likeDone()),
      this.#part(older, this.#done.isMixed ? this.#done : this.#older),
      this.#part(failed, this.#failed.count >= leastRows ? this.#failed : this.#likeNew()),
      this.#part(left, this.#likeNew()),
    ];
    const paidRows = parts.reduce((sum, part) => sum + part.paidRows, 0);
    const costs = parts.map(({ cost }) => cost);
    if (costs.some((cost) => cost === undefined)) return { rows, paidRows, cost: undefined };
    const estimate = costs.reduce((sum, cost) => sum + (cost?.estimate ?? 0), 0);
    const off = z * Math.hypot(...costs.map((cost) => cost?.deviation ?? 0));
    return { rows, paidRows, cost: { estimate, low: Math.max(0, estimate - off), high: estimate + off } };
  }

  #row(pk: string): { cost: number; isPaid: boolean; isReused: boolean } {
    const row = this.#onTheirWay.get(pk) ?? { cost: 0, isPaid: false, isReused: false };
    this.#onTheirWay.set(pk, row);
    return row;
  }

  get #kinds(): readonly RowCosts[] {
    return [this.#done, this.#older, this.#failed, this.#new];
  }

  /** Rows that only runs before the last one did. */
  get #olderRows(): number {
    const { doneRows = 0, writtenRows = doneRows } = this.#earlier ?? {};
    return Math.max(0, writtenRows - doneRows);
  }

  /**
   * Rows that the last run did are like those that were met, and before any was met their answers are taken to be there. Where the journal does
   * not know them, and many new ones come first, they are like these: the prompt may have changed.
   */
  #likeDone(): RowCosts {
    const isTold = this.#done.count > 0 || this.#earlier?.knowsRows === true || this.#new.count < enoughRows;
    return isTold ? this.#done : this.#new;
  }

  /** New rows are like the new ones that were met, and like those with stored answers that are more than earlier runs did. */
  #likeNew(): RowCosts {
    const surplus = this.#older.count - this.#olderRows;
    return surplus <= 0 ? this.#new : this.#new.with(this.#older, surplus / this.#older.count);
  }

  #part(rows: number, like: RowCosts): Part {
    if (rows === 0) return { paidRows: 0, cost: { estimate: 0, deviation: 0 } };
    if (like.goodCount >= enoughRows || like === this.#done) return like.times(rows);
    const { costPerRow = null } = this.#earlier ?? {};
    if (costPerRow !== null) {
      return { paidRows: rows, cost: { estimate: rows * costPerRow, deviation: (rows * costPerRow * earlierOff) / z } };
    }
    return like.count < leastRows ? { paidRows: rows, cost: undefined } : like.times(rows);
  }
}

interface Part {
  readonly paidRows: number;
  readonly cost: { readonly estimate: number; readonly deviation: number } | undefined;
}

/** The costs of rows of one kind. */
class RowCosts {
  count = 0;
  /** Those of them that did not fail: rows that fail end before others of their time, which wait for their batch. */
  goodCount = 0;
  paidCount = 0;
  #sum = 0;
  #squares = 0;

  /** True if many were paid and many were not. */
  get isMixed(): boolean {
    return this.paidCount >= enoughRows && this.count - this.paidCount >= enoughRows;
  }

  add({
    cost,
    isPaid,
    hasFailed,
  }: {
    readonly cost: number;
    readonly isPaid: boolean;
    readonly hasFailed: boolean;
  }): void {
    this.count += 1;
    this.goodCount += hasFailed ? 0 : 1;
    this.paidCount += isPaid ? 1 : 0;
    this.#sum += cost;
    this.#squares += cost ** 2;
  }

  /** With a share of other rows. */
  with(other: RowCosts, share: number): RowCosts {
    const both = new RowCosts();
    both.count = this.count + share * other.count;
    both.goodCount = this.goodCount + share * other.goodCount;
    both.paidCount = this.paidCount + share * other.paidCount;
    both.#sum = this.#sum + share * other.#sum;
    both.#squares = this.#squares + share * other.#squares;
    return both;
  }

  /** So many more of them: the deviation is that of their sum, and of the mean that was measured. */
  times(rows: number): Part {
    if (this.count === 0) return { paidRows: 0, cost: { estimate: 0, deviation: 0 } };
    const mean = this.#sum / this.count;
    const variance = Math.max(0, this.#squares / this.count - mean ** 2);
    const deviation = Math.sqrt(variance * rows * (1 + rows / this.count));
    return { paidRows: (rows * this.paidCount) / this.count, cost: { estimate: rows * mean, deviation } };
  }
}
