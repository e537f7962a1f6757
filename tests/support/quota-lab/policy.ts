/** A call of the laboratory. It is the same object for all its attempts. */
export interface LabCall {
  readonly id: number;
  readonly tokens: number;
  /** The attempts that used up one of its retries. */
  tries: number;
}

/** How one attempt of a call ended. */
export interface LabOutcome {
  readonly ok: boolean;
  /** 0 for a call that timed out. */
  readonly status: number;
  /** The wait that the service asks for, in milliseconds; undefined where it does not say. */
  readonly retryAfterMs?: number | undefined;
  readonly sentAt: number;
}

/** What becomes of a call that was not answered. */
export interface LabVerdict {
  /** The call is not sent again for so many milliseconds. @default 0 */
  readonly again?: number;
  /** True where the attempt uses up none of the call's five retries: a 429 never does. @default false */
  readonly free?: boolean;
}

/** Decides when calls may go, for all rows together. All times are in milliseconds. */
export interface LabPolicy {
  /** 0 if the call may go; otherwise it is asked again then, or when another call ends. Infinity: only then. */
  readonly waitMs: (call: LabCall, nowMs: number) => number;
  readonly started: (call: LabCall, nowMs: number) => void;
  readonly ended: (call: LabCall, outcome: LabOutcome, nowMs: number) => LabVerdict;
}

export interface LabSetup {
  /** Rows at work, each with one call at a time. */
  readonly concurrency: number;
  /** The time that a call may take, in milliseconds. */
  readonly timeoutMs: number;
  /** A number from 0 up to, but not including, 1. */
  readonly random: () => number;
}

export type MakePolicy = (setup: LabSetup) => LabPolicy;
