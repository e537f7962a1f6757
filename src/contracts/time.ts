/** The clock and the chance that limits and retries go by. They are handed in, so that a test has its own. */
export interface Time {
  /** Milliseconds since some moment. It never goes back. */
  readonly now: () => number;
  /** Resolves after so many milliseconds, and rejects as soon as the signal aborts. */
  readonly sleep: (delayMs: number, signal: AbortSignal) => Promise<void>;
  /** A number from 0 up to, but not including, 1. */
  readonly random: () => number;
}
