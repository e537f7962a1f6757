import { RunError } from "../errors/llm-etl-error.ts";
import { Ending } from "./ending.ts";
import { abandonAfterMs } from "./shutdown.ts";

export interface TimeLimit {
  readonly code: "SINK_FAILED" | "JOURNAL_FAILED" | "DEAD_LETTER_FAILED" | "PAYLOAD_LOG_FAILED";
  /** The part and what it does, for the message: `the sink csv: open`. */
  readonly what: string;
  /** The option that has the limit. */
  readonly option: "openTimeoutMs" | "closeTimeoutMs";
  /** In milliseconds. */
  readonly limitMs: number;
  /** Shortens the limit once a signal has stopped the run. @default nothing does */
  readonly ending?: Ending | undefined;
  /** Work that does not heed its abort is left behind `afterAbortMs` later. */
  readonly signal?: AbortSignal | undefined;
  /** In milliseconds. @default 4,000 */
  readonly afterAbortMs?: number | undefined;
}

/**
 * Does work of a plug-in, which may never end. Its signal is aborted with the limit's, and when its time is over. `discard` is given
 * what comes too late.
 *
 * @throws {RunError} when the time is over; and the reason of `signal`, where it was aborted before
 */
export async function withinLimit<Result>(
  { code, what, option, limitMs, ending = new Ending(), signal, afterAbortMs = abandonAfterMs }: TimeLimit,
  work: (signal: AbortSignal) => Promise<Result>,
  discard: (late: Result) => Promise<void> | undefined = () => undefined,
): Promise<Result> {
  const over = new AbortController();
  const left = Promise.withResolvers<never>();
  const leave = (reason: unknown): void => {
    over.abort(reason);
    left.reject(reason);
  };
  const forget = ending.after(limitMs, () => {
    const facts = { where: option, expected: `at most ${limitMs} ms`, hint: `raise ${option} if it needs longer` };
    leave(new RunError(code, `${what} does not end`, { facts }));
  });
  let abortTimer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    abortTimer = setTimeout(() => leave(signal?.reason), afterAbortMs);
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  try {
    const working = work(signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]));
    working
      .then(
        (late) => (over.signal.aborted ? discard(late) : undefined),
        () => {}, // it is awaited below, or too late to matter
      )
      .catch(() => {});
    return await Promise.race([working, left.promise]);
  } finally {
    forget();
    clearTimeout(abortTimer);
    signal?.removeEventListener("abort", onAbort);
  }
}
