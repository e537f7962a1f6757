import type { RateLimit } from "../../contracts/provider.ts";
import type { ProviderErrorKind } from "../provider-error.ts";
import type { PauseReason } from "./pause-report.ts";
import type { TierWait } from "./tier-wait.ts";

/** A call that wants to go. It is the same object from `waitMs` to `ended`. */
export interface CallSize {
  /** About as many as the prompt has, and the most that the answer may have. */
  readonly tokens: number;
  /** The same for all attempts of a call. @default the call does not fall back to the standard tier */
  readonly tierWait?: TierWait | undefined;
}

/** How a call ended, as far as it tells something of the service. */
export type CallOutcome =
  | { readonly type: "answer"; readonly rateLimit?: RateLimit | undefined }
  /** The service could not answer, and may later. */
  | {
      readonly type: "failure";
      readonly kind: ProviderErrorKind;
      readonly retryAfterMs?: number | undefined;
      /** True where the call failed before, and others that started after that were answered: it tells little of the service. */
      readonly isRefuted?: boolean | undefined;
    }
  /**
   * The failure is the row's or the run's own: it says nothing of how well the service is. Where it is the row's, the service has seen
   * to it, and is there.
   */
  | { readonly type: "other"; readonly isOfRow?: boolean | undefined };

export type Failure = CallOutcome & { readonly type: "failure" };

/** True for a call that the service turned away unread: by the rate of the calls, or for now. */
export function isRejection(outcome: CallOutcome): outcome is Failure {
  return outcome.type === "failure" && (outcome.kind === "rate-limit" || outcome.kind === "overload");
}

/** A limiter's answer to the end of a call. */
export type LimitEvent =
  /** No call goes for so long. */
  | { readonly type: "pause"; readonly reason: PauseReason; readonly durationMs: number }
  /** So many calls may be in flight from now on; Infinity where the limiter sets no bound any more. */
  | { readonly type: "limit"; readonly limit: number }
  /** The failure uses up none of the call's retries; the call goes again when this time has passed, and all limiters agree. */
  | { readonly type: "again"; readonly afterMs: number }
  /** The call goes again no sooner than this; whether that uses up a retry is for others to say. */
  | { readonly type: "delay"; readonly afterMs: number }
  /** No call has succeeded for this long: the run is to end. */
  | { readonly type: "stalled"; readonly durationMs: number };

/**
 * One rule on when calls to one provider may go, for all rows together. It has no clock, timer or chance of its own, so
 * that it can be run in any time.
 */
export interface Limiter {
  /** The reason that is reported where a call waits for it for long. @default "quota" */
  readonly reason?: PauseReason | undefined;
  /** How long the call has to wait, in milliseconds: 0 if it may go, Infinity if that depends on a call in flight. */
  readonly waitMs: (call: CallSize, nowMs: number) => number;
  /** The call goes. */
  readonly started: (call: CallSize, nowMs: number) => void;
  /** The call has ended. */
  readonly ended: (outcome: CallOutcome, call: CallSize, nowMs: number) => readonly LimitEvent[];
  /**
   * The moment at which the run is to end if all calls still wait then, and for how long none has succeeded. Undefined while a
   * call is in flight, or all is well. @default no such moment
   */
  readonly stall?: () => { readonly atMs: number; readonly durationMs: number } | undefined;
}

/** The answer of a limiter that has nothing to say. */
export const noEvents: readonly LimitEvent[] = [];
