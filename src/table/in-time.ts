export interface InTimeOptions<Result> {
  readonly signal: AbortSignal;
  /** The longest wait, in milliseconds. @default none */
  readonly waitMs?: number | undefined;
  /** Makes the error where that is over. */
  readonly timeOver: (waitMs: number) => Error;
  /** Given a result that came when nobody waited for it any more. */
  readonly onLate: (result: Result) => unknown;
}

/**
 * Waits for what a driver does that takes neither a signal nor a time.
 *
 * @throws what it threw; the error of `timeOver`; the signal's reason
 */
export async function inTime<Result>(
  pending: Promise<Result>,
  { signal, waitMs, timeOver, onLate }: InTimeOptions<Result>,
): Promise<Result> {
  const ended = Promise.withResolvers<never>();
  let isLeft = false;
  const leave = (reason: unknown): void => {
    isLeft = true;
    ended.reject(reason);
  };
  const onAbort = (): void => leave(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const timer = waitMs === undefined ? undefined : setTimeout(() => leave(timeOver(waitMs)), waitMs);
  try {
    return await Promise.race([pending, ended.promise]);
  } catch (error) {
    if (isLeft) void Promise.allSettled([pending.then(onLate)]);
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
