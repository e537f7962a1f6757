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
 * Projects the rest of a run from the rows that have ended. Rows that an earlier run did, whose answers are in the journal, and rows that are
 * new are counted apart: a resumed run begins with the first and ends with the others.
 */
export class RestProjection {
  readonly #known = new RowCosts();
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
    (isReused || wasWritten ? this.#known : this.#new).add(cost, isPaid);
  }

  /** The cost of the rows that have ended. */
  get endedCost(): number {
    return roundAmount(this.#endedCost);
  }

  /** The rows that have ended for which a model was asked. */
  get paidCount(): number {
    return this.#known.paidCount + this.#new.paidCount;
  }

  /** Undefined where the source has not counted its rows. */
  get rest(): RestOfRun | undefined {
    if (this.#totalCount === undefined) return undefined;
    const rows = Math.max(0, this.#totalCount - this.#known.count - this.#new.count);
    const known = Math.min(rows, Math.max(0, (this.#earlier?.doneRows ?? 0) - this.#known.count));
    const parts = [this.#part(known, this.#likeKnown()), this.#part(rows - known, this.#likeNew())];
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

  /**
   * Rows that an earlier run did are like those that were met, and before any was met their answers are taken to be there. Where many new ones
   * come first, they are like these: the prompt may have changed.
   */
  #likeKnown(): RowCosts {
    return this.#known.count > 0 || this.#new.count < enoughRows ? this.#known : this.#new;
  }

  /** New rows are like the new ones that were met, and like those with stored answers that are more than an earlier run did. */
  #likeNew(): RowCosts {
    const surplus = this.#known.count - (this.#earlier?.doneRows ?? 0);
    return surplus <= 0 ? this.#new : this.#new.with(this.#known, surplus / this.#known.count);
  }

  #part(rows: number, like: RowCosts): Part {
    if (rows === 0) return { paidRows: 0, cost: { estimate: 0, deviation: 0 } };
    if (like.count >= enoughRows || like === this.#known) return like.times(rows);
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
  paidCount = 0;
  #sum = 0;
  #squares = 0;

  add(cost: number, isPaid: boolean): void {
    this.count += 1;
    this.paidCount += isPaid ? 1 : 0;
    this.#sum += cost;
    this.#squares += cost ** 2;
  }

  /** With a share of other rows. */
  with(other: RowCosts, share: number): RowCosts {
    const both = new RowCosts();
    both.count = this.count + share * other.count;
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
