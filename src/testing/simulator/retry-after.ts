/** The wait that a 429 of a limit names. */
export type SimulatorRetryAfter = "exact" | "one-second" | "at-least-one-second" | "whole-seconds" | "zero" | "none";

/** The headers that name a wait. */
export type SimulatorRetryAfterForm = "both" | "milliseconds" | "seconds" | "date";

export const retryAfterWords: readonly SimulatorRetryAfter[] = [
  "exact",
  "one-second",
  "at-least-one-second",
  "whole-seconds",
  "zero",
  "none",
];

export const retryAfterForms: readonly SimulatorRetryAfterForm[] = ["both", "milliseconds", "seconds", "date"];

/** The wait that a client is told, in whole milliseconds, if the limit has room again after `exactMs`; undefined for none. */
export function toldWaitMs(retryAfter: SimulatorRetryAfter, exactMs: number): number | undefined {
  const wholeMs = Math.ceil(exactMs);
  switch (retryAfter) {
    case "exact":
      return wholeMs;
    case "one-second":
      return 1000;
    case "at-least-one-second":
      return Math.max(1000, wholeMs);
    case "whole-seconds":
      return 1000 * Math.ceil(exactMs / 1000);
    case "zero":
      return 0;
    case "none":
      return undefined;
    default:
      return retryAfter satisfies never;
  }
}

/**
 * The headers that name a wait, names and values in turn. Seconds are whole: they may be later than the wait, and never
 * earlier. `nowMs` is the time of day, for a date.
 */
export function retryAfterHeaders(
  form: SimulatorRetryAfterForm,
  waitMs: number | undefined,
  nowMs: number = Date.now(),
): readonly string[] {
  if (waitMs === undefined) return [];
  const milliseconds = ["retry-after-ms", String(waitMs)];
  const seconds = ["retry-after", String(Math.ceil(waitMs / 1000))];
  switch (form) {
    case "both":
      return [...milliseconds, ...seconds];
    case "milliseconds":
      return milliseconds;
    case "seconds":
      return seconds;
    case "date": {
      const atMs = waitMs === 0 ? nowMs : 1000 * Math.ceil((nowMs + waitMs) / 1000);
      return ["retry-after", new Date(atMs).toUTCString()];
    }
    default:
      return form satisfies never;
  }
}
