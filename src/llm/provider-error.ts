import type { ErrorFacts } from "../errors/facts.ts";
import { type ErrorCode, LLMEtlError } from "../errors/llm-etl-error.ts";
import type { TokenUsage } from "../contracts/provider.ts";

/** `transient`: the same call may succeed later. `row`: it never will, for this row. `run`: nor for any other. */
export type ProviderErrorClass = "transient" | "row" | "run";

/**
 * The kind of the failure, by which limits and retries decide. `rate-limit`: too many requests or tokens. `overload`: the
 * service has no room (503). `server`: any other failure of its own. `unreadable`: a reply that is no answer. `request`:
 * it rejects the request as such. `declined`: the model does. `access`, `quota`, `setting`: no other call would succeed.
 */
export type ProviderErrorKind =
  | "rate-limit"
  | "overload"
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

/** The facts of a failed call. `where`, `expected`, `got` and `hint` are those of any error: the message is made of them. */
export interface ProviderErrorFacts extends Pick<ErrorFacts, "where" | "expected" | "got" | "hint"> {
  /** @default the kind of the code; `other` for a code of your own */
  readonly kind?: ProviderErrorKind | undefined;
  readonly status?: number | undefined;
  readonly requestId?: string | undefined;
  /** The wait that the service asks for, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
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
  readonly usage: TokenUsage | undefined;

  constructor(
    errorClass: ProviderErrorClass,
    code: ErrorCode | (string & {}),
    message: string,
    facts: ProviderErrorFacts = {},
  ) {
    const { status, requestId, retryAfterMs, usage, cause, detail, where, expected, got, hint } = facts;
    const { kind = describeType(code, status) } = facts;
    super(code, errorClass === "run" ? "run" : "row", message, {
      cause,
      detail,
      facts: { kind, status, requestId, retryAfterMs, where, expected, got, hint },
    });
    this.class = errorClass;
    this.kind = kind;
    this.status = status;
    this.requestId = requestId;
    this.retryAfterMs = retryAfterMs;
    this.usage = usage;
  }
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
  ["OUTPUT_TRUNCATED", "cut-off"],
  ["QUOTA_EXHAUSTED", "quota"],
  ["RATE_LIMITED", "rate-limit"],
  ["REFUSAL", "declined"],
  ["SERVICE_UNAVAILABLE", "server"],
  ["SETTING_MISSING", "setting"],
  ["TIMEOUT", "timeout"],
]);

function describeType(code: string, status: number | undefined): ProviderErrorKind {
  const kind = kinds.get(code) ?? "other";
  return status === 503 && kind !== "rate-limit" ? "overload" : kind;
}
