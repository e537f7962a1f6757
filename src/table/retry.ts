import { setTimeout } from "node:timers/promises";

export interface RetryOptions {
  readonly signal: AbortSignal;
  /** Counted from the first failure, or from where its attempt began to wait, in milliseconds: the last attempt begins no later. */
  readonly patienceMs: number;
  /** The waits that an error asks for, if it passes; undefined where another attempt is of no use. */
  readonly passing: (error: unknown) => PassingError | undefined;
  /** In milliseconds. */
  readonly delaysMs: { readonly shortest: number; readonly longest: number };
  /** Called before each wait. */
  readonly onRetry?: ((error: unknown, delayMs: number) => void) | undefined;
  /** Called where an error that passes is thrown for good, with how long it was tried, in milliseconds. */
  readonly onGiveUp?: ((triedForMs: number) => void) | undefined;
  /** @default performance.now */
  readonly now?: (() => number) | undefined;
  /** From 0 to 1. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** @default a timer that the signal ends */
  readonly sleep?: ((delayMs: number, signal: AbortSignal) => Promise<void>) | undefined;
}

export interface PassingError {
  /** The least wait, in milliseconds. @default 0 */
  readonly leastWaitMs?: number | undefined;
  /** How often errors with such a bound are tried again at most, whatever time is left. */
  readonly mostRetries?: number | undefined;
  /** How long the attempt had waited before it failed, in milliseconds: that was patience, too. @default 0 */
  readonly waitedMs?: number | undefined;
}

/**
 * Tries again after an error that passes, with full jitter and a wait that doubles. An attempt must be safe to repeat: its predecessor
 * may have been carried out, and its answer lost. It is given the time that is left of the patience, in milliseconds.
 *
 * @throws what the last attempt threw; the signal's reason if that is aborted while it would wait
 */
export async function retryPassing<Result>(
  attempt: (leftMs: number) => Result | Promise<Result>,
  options: RetryOptions,
): Promise<Result> {
  const { signal, patienceMs, passing, delaysMs, onRetry, onGiveUp } = options;
  const { now = () => performance.now(), random = Math.random, sleep = sleepUntilAborted } = options;
  let firstFailureAt: number | undefined;
  const endsAt = (): number => (firstFailureAt ?? now()) + patienceMs;
  let boundedRetries = 0;
  for (let retryCount = 0; ; retryCount += 1) {
    try {
      return await attempt(Math.max(0, endsAt() - now()));
    } catch (error) {
      const found = passing(error);
      if (found === undefined) throw error;
      signal.throwIfAborted(); // only who would wait is turned away: what is finished can still be written after an abort
      const { leastWaitMs = 0, mostRetries, waitedMs = 0 } = found;
      if (mostRetries !== undefined) boundedRetries += 1;
      firstFailureAt ??= now() - waitedMs;
      const leftMs = endsAt() - now();
      if (leftMs <= 0 || leastWaitMs > leftMs || boundedRetries > (mostRetries ?? Infinity)) {
        onGiveUp?.(now() - firstFailureAt);
        throw error;
      }
      const backoffMs = random() * Math.min(delaysMs.longest, delaysMs.shortest * 2 ** retryCount);
      const delayMs = Math.min(leastWaitMs + backoffMs, leftMs);
      onRetry?.(error, delayMs);
      await sleep(delayMs, signal);
    }
  }
}

async function sleepUntilAborted(delayMs: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(delayMs, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted(); // its own reason, not the timer's wrapping of it
    throw error;
  }
}
