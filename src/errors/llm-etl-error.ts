import { inspect } from "node:util";
import { type ErrorFacts, given, messageFrom } from "./facts.ts";
import { nameOf } from "./error-text.ts";

/**
 * The codes of all errors that llm-etl throws or reports. `docs/errors.md` has a heading for each.
 *
 * A `message` never holds content (notes, prompts, answers): it may reach a terminal. `detail` is the same
 * sentence with the values in it, for the files of mode 0600 (dead letter, payload log).
 */
export const errorCodes = [
  "ABORTED",
  "AUTHENTICATION_FAILED",
  "BAD_REQUEST",
  "COLUMN_MAP_FAILED",
  "CONTENT_FILTER",
  "CONTEXT_LENGTH_EXCEEDED",
  "COUNTS_DO_NOT_ADD_UP",
  "CSV_ROW_INVALID",
  "DEAD_LETTER_FAILED",
  "DEAD_LETTER_UNREADABLE",
  "DEPLOYMENT_NOT_FOUND",
  "EACH_FAILED",
  "EMPTY_INPUT",
  "EVENT_HANDLER_FAILED",
  "EXCEL_ROW_INVALID",
  "FORBIDDEN",
  "INPUT_MAP_FAILED",
  "INPUT_TOO_LONG",
  "INTERNAL_ERROR",
  "INVALID_OPTION",
  "INVALID_OUTPUT",
  "INVALID_RESPONSE",
  "JOURNAL_FAILED",
  "JOURNAL_IN_USE",
  "JSONL_ROW_INVALID",
  "LIMIT_REACHED",
  "MAP_MISMATCH",
  "NETWORK_ERROR",
  "NO_CAPACITY",
  "OUTPUT_TRUNCATED",
  "PAYLOAD_LOG_FAILED",
  "PIPELINE_MODULE_INVALID",
  "PRIMARY_KEY_DUPLICATE",
  "PRIMARY_KEY_MISSING",
  "PROVIDER_CHOICE_FAILED",
  "PROVIDER_FAILED",
  "QUOTA_EXHAUSTED",
  "RATE_LIMITED",
  "REFUSAL",
  "ROW_SCHEMA_MISMATCH",
  "SCHEMA_NOT_SUPPORTED",
  "SERVICE_UNAVAILABLE",
  "SETTING_MISSING",
  "SINK_DATA_REFUSED",
  "SINK_FAILED",
  "SOURCE_FAILED",
  "STALLED",
  "STEP_FAILED",
  "TARGET_MISMATCH",
  "TAXONOMY_INVALID",
  "TIER_UNAVAILABLE",
  "TIMEOUT",
  "TOO_MANY_ROW_ERRORS",
  "UNHANDLED_ERROR",
  "VALUE_DOES_NOT_FIT",
  "WAITING_FOR_BATCH",
  "WHEN_FAILED",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/**
 * `row`: this row fails and the others go on. `run`: going on is pointless or unsafe, and the run ends. `later`: this row is pending, and a
 * later run does it; the others go on. The code that makes an error decides its scope; nobody changes it later.
 */
export type ErrorScope = "row" | "run" | "later";

export interface ErrorOptions {
  readonly cause?: unknown;
  /** The message with the values in it. @default the message */
  readonly detail?: string | undefined;
  /** The plain values behind the message; `expected`, `got` and `hint` are added to it. */
  readonly facts?: ErrorFacts | undefined;
}

/** An answer that did not pass validation, and its issues, as the dead letter file has them. */
export interface InvalidAnswer {
  readonly answer: string;
  readonly issues: readonly string[];
}

/**
 * The base of all errors: a stable `code`, a `scope`, and a message with expected, got and the next step. `detail`,
 * `attempts` and the message of the `cause` may hold content: programs can read them, JSON and terminals never show them.
 */
export class LLMEtlError extends Error {
  readonly code: string;
  readonly scope: ErrorScope;
  /** The plain values behind the message: `expected`, `got`, `where`, `hint`, and more for programs. */
  readonly facts: ErrorFacts;
  readonly #detail: string;
  #attempts: readonly InvalidAnswer[] = [];
  #confirmation: Promise<void> | undefined;

  constructor(code: string, scope: ErrorScope, problem: string, options: ErrorOptions = {}) {
    const { facts = {}, cause, detail } = options;
    const message = messageFrom(problem, facts);
    super(message, cause === undefined ? {} : { cause });
    this.name = new.target.name;
    this.code = code;
    this.scope = scope;
    this.facts = given(facts);
    this.#detail = detail === undefined ? message : messageFrom(detail, facts);
  }

  /** The message with the values in it. */
  get detail(): string {
    return this.#detail;
  }

  /** The answers that the model gave before the row failed. */
  get attempts(): readonly InvalidAnswer[] {
    return this.#attempts;
  }

  /** The same error, with the answers that were paid for before it. */
  withAttempts(attempts: readonly InvalidAnswer[]): this {
    this.#attempts = attempts;
    return this;
  }

  /**
   * Resolves once it is known that the row alone is at fault, and not what all rows share. Until then the row has not failed:
   * it is pending if the run ends before. Undefined where that is known.
   */
  get confirmation(): Promise<void> | undefined {
    return this.#confirmation;
  }

  /** The same error, of a row whose fault is yet to be confirmed. */
  withConfirmation(confirmation: Promise<void> | undefined): this {
    this.#confirmation = confirmation;
    return this;
  }

  toJSON(): Pick<LLMEtlError, "name" | "code" | "scope" | "message" | "facts"> {
    const { name, code, scope, message, facts } = this;
    return { name, code, scope, message, facts };
  }

  static {
    // The text that `console.log` shows. A method would need a computed name, which no declaration file can hold.
    Object.defineProperty(this.prototype, inspect.custom, {
      value(this: LLMEtlError): string {
        const cause = this.cause === undefined ? "" : `\n  caused by ${nameOf(this.cause)}`;
        return `${this.stack ?? this.message} [${this.code}]${cause}`;
      },
    });
  }
}

/** An error that fails one row; the others go on. Sources yield it, steps and sinks throw it. */
export class RowError extends LLMEtlError {
  constructor(code: ErrorCode | (string & {}), problem: string, options?: ErrorOptions) {
    super(code, "row", problem, options);
  }
}

/** An error that ends the run: no further row is read, and unfinished rows are pending. */
export class RunError extends LLMEtlError {
  constructor(code: ErrorCode | (string & {}), problem: string, options?: ErrorOptions) {
    super(code, "run", problem, options);
  }
}
