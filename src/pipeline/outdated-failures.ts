import type { DeadLetterSession } from "../contracts/dead-letter.ts";
import type { RunEvent } from "../contracts/events.ts";

/** Sees which dead letters of earlier runs a run makes outdated: of rows that got through, or failed once more. */
export class OutdatedFailures {
  readonly #session: DeadLetterSession | undefined;
  /** By primary key, when the row got through. */
  readonly #leaving = new Map<string, number>();
  #hasFailedAgain = false;

  constructor(session: DeadLetterSession | undefined) {
    this.#session = session;
  }

  observe(event: RunEvent): void {
    if (event.type !== "row-end" || this.#session?.failedBefore === undefined) return;
    const { pk, outcome, errorCode } = event;
    const hasOwnKey = pk !== null && errorCode !== "PRIMARY_KEY_DUPLICATE";
    if (hasOwnKey && !this.#session.failedBefore.has(pk)) return;
    if (outcome === "failed") this.#hasFailedAgain = true; // also a row that has no key, by which it would be known
    else if (hasOwnKey && (outcome === "written" || outcome === "unchanged")) this.#leaving.set(pk, Date.now());
  }

  /**
   * Removes them. Where the rows that got through did not reach their target, they are kept.
   *
   * @throws {DeadLetterError} if that can't be done
   */
  async remove(haveReachedTarget: boolean): Promise<void> {
    const leaving = haveReachedTarget ? this.#leaving : new Map<string, number>();
    if (leaving.size > 0 || this.#hasFailedAgain) await this.#session?.remove?.(leaving);
  }
}
