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
    if (event.type !== "row-end" || event.pk === null) return;
    if (this.#session?.failedBefore?.has(event.pk) !== true) return;
    if (event.outcome === "written" || event.outcome === "unchanged") this.#leaving.set(event.pk, Date.now());
    if (event.outcome === "failed") this.#hasFailedAgain = true;
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
