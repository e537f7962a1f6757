import {
  checkOptions,
  isCount,
  isDuration,
  isNumber,
  longestTimerMs,
  type OptionCheck,
  optional,
} from "../../errors/options.ts";

/** How calls are spaced, held back and tried again. The defaults suit a service that is shared and metered. */
export interface AdmissionOptions {
  /**
   * How often one call is tried again after a transient failure other than a 429, where the row may be at fault: a call that fails
   * because the service is down waits for it, and that uses up none; 0 for never. @default 5
   */
  readonly maxTransportRetries?: number | undefined;
  /** The bounds of the wait before such a retry, in milliseconds: it doubles, with full jitter. @default [500, 30,000] */
  readonly retryDelayMs?: readonly [number, number] | undefined;
  /** After so many transient failures in a row, the service counts as down. @default 10 */
  readonly outageFailures?: number | undefined;
  /** While it is down, one call goes every so many milliseconds: the wait doubles within these bounds. @default [5,000, 30,000] */
  readonly probeDelayMs?: readonly [number, number] | undefined;
  /** When no call has succeeded for so long, in milliseconds, the run stops, resumable. @default 900,000 */
  readonly stallTimeoutMs?: number | undefined;
  /**
   * When a service tier (Flex) has had no room for so long, in milliseconds, the run stops, resumable, where its calls do not fall back to
   * the standard tier. @default 21,600,000
   */
  readonly capacityTimeoutMs?: number | undefined;
}

export type ResolvedAdmissionOptions = {
  readonly [Name in keyof AdmissionOptions]-?: NonNullable<AdmissionOptions[Name]>;
};

/** The defaults filled in. */
export function resolveAdmission(options: AdmissionOptions = {}): ResolvedAdmissionOptions {
  const { maxTransportRetries = 5, retryDelayMs = [500, 30_000], outageFailures = 10 } = options;
  const { probeDelayMs = [5000, 30_000], stallTimeoutMs = 900_000, capacityTimeoutMs = 21_600_000 } = options;
  return { maxTransportRetries, retryDelayMs, outageFailures, probeDelayMs, stallTimeoutMs, capacityTimeoutMs };
}

/** @throws {OptionError} for an option that is unknown or has a wrong value */
export function checkAdmission(options: AdmissionOptions): void {
  checkOptions("Pipeline admission", options, {
    maxTransportRetries: optional(isCount(0)),
    retryDelayMs: optional(isRange),
    outageFailures: optional(isCount(1)),
    probeDelayMs: optional(isRange),
    stallTimeoutMs: optional(isDuration(1)),
    capacityTimeoutMs: optional(isDuration(1)),
  });
}

const isRange: OptionCheck = {
  expected: "two numbers from 0 up, [shortest, longest]",
  fits: (value) => {
    if (!Array.isArray(value) || value.length !== 2) return false;
    const [shortest, longest]: unknown[] = value;
    return (
      isNumber(0, longestTimerMs).fits(shortest) &&
      isNumber(0, longestTimerMs).fits(longest) &&
      Number(shortest) <= Number(longest)
    );
  },
  required: true,
};
