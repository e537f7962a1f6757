import { type ErrorCode, LLMEtlError } from "../errors/llm-etl-error.ts";
import type { TokenUsage } from "../contracts/provider.ts";

/** `transient`: the same call may succeed later. `row`: it never will, for this row. `run`: nor for any other. */
export type ProviderErrorClass = "transient" | "row" | "run";

export interface ProviderErrorFacts {
  readonly status?: number | undefined;
  readonly requestId?: string | undefined;
  /** How long the service asks to wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** What the failed attempt cost, where the service said so. */
  readonly usage?: TokenUsage | undefined;
  readonly cause?: unknown;
  /** The message with what the service said, which may quote the row. @default the message */
  readonly detail?: string | undefined;
}

/** A call that brought no answer. Holds no key; its message holds no text of a row. */
export class ProviderError extends LLMEtlError {
  readonly class: ProviderErrorClass;
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
    super(code, errorClass === "run" ? "run" : "row", message, {
      cause: facts.cause,
      ...(facts.detail === undefined ? {} : { detail: facts.detail }),
    });
    this.class = errorClass;
    this.status = facts.status;
    this.requestId = facts.requestId;
    this.retryAfterMs = facts.retryAfterMs;
    this.usage = facts.usage;
  }
}
