import type { RowOutcome } from "../contracts/events.ts";
import type { ChangePlace } from "../contracts/source.ts";

/** So many failed rows are kept as due; rather than pass more of them, the place stays where it is, and the next run reads on from there. */
export const mostDue = 10_000;

/** Rows that stand together in the order of changes. The first piece is what earlier runs, and this one, have passed. */
interface Piece {
  /** That of its last row. */
  place: ChangePlace | undefined;
  /** True if all of its rows have ended. */
  hasEnded: boolean;
  /** The keys of those that did not end well. */
  failed: readonly string[];
  before: Piece | undefined;
  after: Piece | undefined;
}

/** A row on its way. `piece` is undefined for one that the next run reads again anyway, or by its key. */
interface ReadRow {
  readonly key: string | undefined;
  readonly piece: Piece | undefined;
}

/**
 * Knows how far the changes of a source were read: past every row that has ended, in their order, as far as no row can appear before it
 * any more. Rows that failed or were skipped are passed, and are due. Rows that have not ended hold the place where it is.
 */
export class ChangeProgress {
  readonly #passed: Piece;
  readonly #due: Set<string>;
  readonly #mostDue: number;
  /** By position. */
  readonly #rows = new Map<number, ReadRow>();
  #last: Piece;
  /** True once a row was read that this run can't pass. */
  #isHeld = false;
  #changeCount = 0;

  constructor(place: ChangePlace | undefined, due: Iterable<string>, most: number = mostDue) {
    this.#passed = { place, hasEnded: true, failed: [], before: undefined, after: undefined };
    this.#last = this.#passed;
    this.#due = new Set(due);
    this.#mostDue = most;
  }

  /** The place that the next run reads on from; undefined where it is to read everything. */
  get place(): ChangePlace | undefined {
    return this.#passed.place;
  }

  /** The keys of the rows that the next run is to read also where they did not change. */
  get due(): readonly string[] {
    return [...this.#due];
  }

  /** Rises with every change of `place` and `due`. */
  get changeCount(): number {
    return this.#changeCount;
  }

  /** Takes note of a row: rows come in the order of their places. */
  read(position: number, key: string | undefined, place: ChangePlace | null): void {
    if (place?.isSettled === false) this.#isHeld = true;
    const piece = place === null || this.#isHeld ? undefined : this.#append(place);
    this.#rows.set(position, { key, piece });
  }

  /** Takes note of how a row has ended. */
  ended(position: number, outcome: RowOutcome): void {
    const row = this.#rows.get(position);
    this.#rows.delete(position);
    if (row === undefined || outcome === "pending") return;
    const { key, piece } = row;
    const endedWell = outcome === "written" || outcome === "unchanged";
    if (endedWell && key !== undefined) this.forget([key]);
    if (piece === undefined) return;
    if (!endedWell && key !== undefined) piece.failed = [key];
    piece.hasEnded = true;
    const { before } = piece;
    const isFirst = before?.hasEnded !== true;
    if (!isFirst && !this.#join(before, piece)) return;
    const joined = isFirst ? piece : before;
    if (joined.after?.hasEnded === true) this.#join(joined, joined.after);
  }

  /** Rows of the source that are due no more: they ended well, or are gone. */
  forget(keys: Iterable<string>): void {
    for (const key of keys) if (this.#due.delete(key)) this.#changeCount += 1;
  }

  #append(place: ChangePlace): Piece {
    const piece: Piece = { place, hasEnded: false, failed: [], before: this.#last, after: undefined };
    this.#last.after = piece;
    this.#last = piece;
    return piece;
  }

  /** Makes one piece of two neighbours that have ended; false where too many of their rows have failed, which holds the place there. */
  #join(piece: Piece, next: Piece): boolean {
    const isPassed = piece === this.#passed;
    const failed = next.failed.filter((key) => !isPassed || !this.#due.has(key));
    const known = isPassed ? this.#due.size : piece.failed.length;
    if (failed.length > 0 && known + failed.length > this.#mostDue) return false;
    if (isPassed) {
      for (const key of failed) this.#due.add(key);
      this.#changeCount += 1;
    } else if (failed.length > 0) piece.failed = [...piece.failed, ...failed];
    piece.place = next.place;
    piece.after = next.after;
    if (next.after === undefined) this.#last = piece;
    else next.after.before = piece;
    return true;
  }
}
