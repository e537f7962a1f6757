/** So many rows in flight are enough to tell a row that gets no answer from a service that is down. */
const enoughRows = 4;

/**
 * Places for rows beside those of a low `concurrency`. While a row gets no answer, more rows are read: whether they get one
 * shows whether it is the row.
 */
export class SparePlaces {
  readonly #most: number;
  #stuckCount = 0;
  /** Called when there may be another place. */
  onMore: (() => void) | undefined;

  constructor(concurrency: number) {
    this.#most = Math.max(0, enoughRows - concurrency);
  }

  get count(): number {
    return Math.min(this.#stuckCount, this.#most);
  }

  /** Notes that a row gets no answer, until the function that it returns is called. */
  stuck(): () => void {
    this.#stuckCount += 1;
    this.onMore?.();
    return () => {
      this.#stuckCount -= 1;
    };
  }
}
