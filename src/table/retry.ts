import { setTimeout } from "node:timers/promises";

export interface RetryOptions {
  readonly signal: AbortSignal;
  /** Counted from the first failure, in milliseconds: the last attempt begins no later. */
  readonly patienceMs: number;
  /** The waits that an error asks for, if it passes; undefined where another attempt is of no use. */
  readonly passing: (error: unknown) => PassingError | undefined;
  /** In milliseconds. */
  readonly delaysMs: { readonly shortest: number; readonly longest: number };
  /** Called before each wait. */
  readonly onRetry?: ((error: unknown, delayMs: number) => void) | undefined;
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
}

/**
 * Tries again after an error that passes, with full jitter and a wait that doubles. An attempt must be safe to repeat: its predecessor
 * may have been carried out, and its answer lost.
 *
 * @throws what the last attempt threw; the signal's reason if that is aborted while it would wait
 */
export async function retryPassing<Result>(
  attempt: () => Result | Promise<Result>,
  options: RetryOptions,
): Promise<Result> {
  const { signal, patienceMs, passing, delaysMs, onRetry } = options;
  const { now = () => performance.now(), random = Math.random, sleep = sleepUntilAborted } = options;
  let firstFailureAt: number | undefined;
  let boundedRetries = 0;
  for (let retryCount = 0; ; retryCount += 1) {
    try {
      return await attempt();
    } catch (error) {
      const found = passing(error);
      if (found === undefined) throw error;
      signal.throwIfAborted(); // only who would wait is turned away: what is finished can still be written after an abort
      const { leastWaitMs = 0, mostRetries } = found;
      if (mostRetries !== undefined) boundedRetries += 1;
      firstFailureAt ??= now();
      const leftMs = firstFailureAt + patienceMs - now();
      if (leftMs <= 0 || leastWaitMs > leftMs || boundedRetries > (mostRetries ?? Infinity)) throw error;
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
