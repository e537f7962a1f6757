/** So many calls on either side of a limit have to agree. */
const fewestCalls = 12;

/** The share of the calls on either side that may disagree: answers are on their way, and some rejections are chance. */
const tolerance = 0.05;

/** The newest calls by which a limit is found. */
const rememberedCalls = 240;

/** One more call is tried after so many rounds without a rejection. */
const roundsBeforeGrowth = 20;

interface Seen {
  /** How many other calls were in flight when it went. */
  readonly others: number;
  readonly isRejected: boolean;
}

/**
 * Finds out how many calls a service takes at a time, where that is what it limits: calls with fewer others in flight are then
 * accepted, and calls with as many or more are rejected. Where it limits a rate, both have as many others beside them.
 */
export class Slots {
  #seen: Seen[] = [];
  #limit = Infinity;
  /** So many at a time are known to be accepted. */
  #proven = Infinity;
  #acceptedInARow = 0;

  /** How many calls may be in flight; Infinity where nothing speaks for a limit on them. */
  get limit(): number {
    return this.#limit;
  }

  accepted(others: number): void {
    this.#add({ others, isRejected: false });
    this.#acceptedInARow += 1;
    if (this.#acceptedInARow <= roundsBeforeGrowth * this.#limit) return;
    this.#acceptedInARow = 0;
    this.#proven = this.#limit;
    this.#limit += 1;
  }

  rejected(others: number): void {
    this.#add({ others, isRejected: true });
    this.#acceptedInARow = 0;
    const found = this.#find();
    if (found !== undefined) {
      this.#seen = [];
      this.#proven = this.#limit = found;
    } else if (this.#isDenied()) this.#proven = this.#limit = Infinity;
    else if (others >= this.#proven) this.#limit = this.#proven;
  }

  #add(seen: Seen): void {
    this.#seen.push(seen);
    if (this.#seen.length > rememberedCalls) this.#seen.shift();
  }

  #find(): number | undefined {
    const rejections = this.#seen.flatMap(({ isRejected, others }, index) => (isRejected ? [{ index, others }] : []));
    const [first, ...others] = rejections.slice(-fewestCalls);
    if (first === undefined || others.length < fewestCalls - 1) return undefined;
    // All but one of them had so many others beside them, or more.
    const found = [first, ...others].map((seen) => seen.others).toSorted((one, other) => one - other)[1] ?? 0;
    // No further back than the rejections reach: before that, there may have been fewer in flight for other reasons.
    const [below, beyond] = split(this.#seen.slice(first.index), found);
    const isSeparate =
      found > 0 &&
      below.length >= fewestCalls &&
      rejectedShare(below) <= 2 * tolerance &&
      rejectedShare(beyond) >= 1 - tolerance;
    return isSeparate ? found : undefined;
  }

  /** True if calls below the limit are rejected, too. */
  #isDenied(): boolean {
    if (this.#limit === Infinity) return false;
    const [below] = split(this.#seen, this.#proven);
    return below.length >= fewestCalls && rejectedShare(below) > 2 * tolerance;
  }
}

function split(all: readonly Seen[], limit: number): readonly [below: readonly Seen[], beyond: readonly Seen[]] {
  return [all.filter(({ others }) => others < limit), all.filter(({ others }) => others >= limit)];
}

function rejectedShare(all: readonly Seen[]): number {
  return all.length === 0 ? 0 : all.filter(({ isRejected }) => isRejected).length / all.length;
}
