import type { ErrorFacts } from "../errors/facts.ts";
import { type ErrorCode, LLMEtlError } from "../errors/llm-etl-error.ts";
import type { TokenUsage } from "../contracts/provider.ts";

/** `transient`: the same call may succeed later. `row`: it never will, for this row. `run`: nor for any other. */
export type ProviderErrorClass = "transient" | "row" | "run";

/**
 * The kind of the failure, by which limits and retries decide. `rate-limit`: too many requests or tokens. `overload`: the
 * service has no room (503). `capacity`: the service tier that was asked for has none, and the quota has nothing to do with it.
 * `server`: any other failure of its own. `unreadable`: a reply that is no answer. `request`:
 * it rejects the request as such. `declined`: the model does. `access`, `quota`, `setting`: no other call would succeed.
 */
export type ProviderErrorKind =
  | "rate-limit"
  | "overload"
  | "capacity"
  | "server"
  | "network"
  | "timeout"
  | "unreadable"
  | "request"
  | "too-long"
  | "filter"
  | "declined"
  | "cut-off"
  | "access"
  | "quota"
  | "setting"
  | "aborted"
  | "other";

/**
 * The part of an address that may be wrong, for a connection that failed: its `host` is not found, nobody listens at its
 * `port`, or the server there speaks another `protocol` or can't prove who it is.
 */
export type Unreachable = "host" | "port" | "protocol";

/** The facts of a failed call. `where`, `expected`, `got` and `hint` are those of any error: the message is made of them. */
export interface ProviderErrorFacts extends Pick<ErrorFacts, "where" | "expected" | "got" | "hint"> {
  /** @default the kind of the code; `other` for a code of your own */
  readonly kind?: ProviderErrorKind | undefined;
  readonly status?: number | undefined;
  readonly requestId?: string | undefined;
  /** The wait that the service asks for, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** The service tier that was asked for, where the failure is about it. */
  readonly tier?: string | undefined;
  /**
   * For a connection that failed in a way that a wrong address explains. Until the service has replied once in a run, the run
   * then stops after a few tries; after that it is an outage. @default none
   */
  readonly unreachable?: Unreachable | undefined;
  /** The tokens of the failed attempt, if the service counted them. */
  readonly usage?: TokenUsage | undefined;
  readonly cause?: unknown;
  /** The message with the service's own words, which may quote the row. @default the message */
  readonly detail?: string | undefined;
}

/** A call that brought no answer. The error holds no key, and its message holds no text of a row. */
export class ProviderError extends LLMEtlError {
  readonly class: ProviderErrorClass;
  readonly kind: ProviderErrorKind;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly unreachable: Unreachable | undefined;
  readonly usage: TokenUsage | undefined;

  constructor(
    errorClass: ProviderErrorClass,
    code: ErrorCode | (string & {}),
    message: string,
    facts: ProviderErrorFacts = {},
  ) {
    const { status, requestId, retryAfterMs, tier, unreachable, usage, cause, detail } = facts;
    const { where, expected, got, hint } = facts;
    const { kind = describeType(code, status) } = facts;
    super(code, errorClass === "run" ? "run" : "row", message, {
      cause,
      detail,
      facts: { kind, status, requestId, retryAfterMs, tier, unreachable, where, expected, got, hint },
    });
    this.class = errorClass;
    this.kind = kind;
    this.status = status;
    this.requestId = requestId;
    this.retryAfterMs = retryAfterMs;
    this.unreachable = unreachable;
    this.usage = usage;
  }
}

/** The error as one of the run, for this reason. Its facts stay, and its message says them already. */
export function asRunError(error: ProviderError, reason: string, code: string = error.code): ProviderError {
  return copied(error, {
    errorClass: "run",
    code,
    message: `${reason}: ${error.message}`,
    detail: `${reason}: ${error.detail}`,
  });
}

/** An error of its own that says the same. */
export function copyOf(error: ProviderError): ProviderError {
  const { class: errorClass, code, message, detail } = error;
  return copied(error, { errorClass, code, message, detail }).withConfirmation(error.confirmation);
}

interface Changes {
  readonly errorClass: ProviderErrorClass;
  readonly code: string;
  readonly message: string;
  readonly detail: string;
}

function copied(error: ProviderError, { errorClass, code, message, detail }: Changes): ProviderError {
  const { kind: before, status, requestId, retryAfterMs, unreachable, cause, facts } = error;
  const kind = code === error.code ? before : describeType(code, status);
  const known = { kind, status, requestId, retryAfterMs, unreachable, detail, cause };
  return Object.assign(new ProviderError(errorClass, code, message, known), { facts: { ...facts, kind } });
}

const kinds: ReadonlyMap<string, ProviderErrorKind> = new Map([
  ["ABORTED", "aborted"],
  ["AUTHENTICATION_FAILED", "access"],
  ["BAD_REQUEST", "request"],
  ["CONTENT_FILTER", "filter"],
  ["CONTEXT_LENGTH_EXCEEDED", "too-long"],
  ["DEPLOYMENT_NOT_FOUND", "setting"],
  ["FORBIDDEN", "access"],
  ["INVALID_RESPONSE", "unreadable"],
  ["NETWORK_ERROR", "network"],
  ["NO_CAPACITY", "capacity"],
  ["OUTPUT_TRUNCATED", "cut-off"],
  ["QUOTA_EXHAUSTED", "quota"],
  ["RATE_LIMITED", "rate-limit"],
  ["REFUSAL", "declined"],
  ["SERVICE_UNAVAILABLE", "server"],
  ["SETTING_MISSING", "setting"],
  ["TIER_UNAVAILABLE", "setting"],
  ["TIMEOUT", "timeout"],
]);

function describeType(code: string, status: number | undefined): ProviderErrorKind {
  const kind = kinds.get(code) ?? "other";
  return status === 503 && kind !== "rate-limit" && kind !== "capacity" ? "overload" : kind;
}

/** True if the service has judged the row: not where code with a fault threw. */
export function isOfRow(error: unknown): boolean {
  return error instanceof ProviderError && error.class === "row" && error.code !== "PROVIDER_FAILED";
}
