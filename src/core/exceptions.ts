import { inspect } from "node:util";
import { messageOf, nameOf, textOf } from "./thrown.ts";

/**
 * Every error that llm-etl throws or reports. `docs/errors.md` has a heading for each code.
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
  "EMPTY_INPUT",
  "EVENT_HANDLER_FAILED",
  "FORBIDDEN",
  "INPUT_MAP_FAILED",
  "INPUT_TOO_LONG",
  "INTERNAL_ERROR",
  "INVALID_OPTION",
  "INVALID_OUTPUT",
  "INVALID_RESPONSE",
  "JOURNAL_FAILED",
  "JOURNAL_IN_USE",
  "LIMIT_REACHED",
  "NETWORK_ERROR",
  "OUTPUT_TRUNCATED",
  "PAYLOAD_LOG_FAILED",
  "PIPELINE_MODULE_INVALID",
  "PRIMARY_KEY_DUPLICATE",
  "PRIMARY_KEY_MISSING",
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
  "TIMEOUT",
  "TOO_MANY_ROW_ERRORS",
  "VALUE_DOES_NOT_FIT",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** `row`: this row fails and the others go on. `run`: going on is pointless or unsafe. Decided where the error is born. */
export type ErrorScope = "row" | "run";

export interface ErrorOptions {
  readonly cause?: unknown;
  /** The message with the values in it. @default the message */
  readonly detail?: string;
}

/** One answer that did not pass, and why: kept in the dead letter file. */
export interface InvalidAnswer {
  readonly answer: string;
  readonly issues: readonly string[];
}

/**
 * The base of all: a stable `code`, a `scope`, and a message that says expected, got and what to do. What may hold content
 * (`detail`, `attempts`, the message of the `cause`) is there to be read, but stands in no JSON and on no terminal.
 */
export class LLMEtlError extends Error {
  readonly code: string;
  readonly scope: ErrorScope;
  readonly #detail: string;
  #attempts: readonly InvalidAnswer[] = [];

  constructor(code: string, scope: ErrorScope, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.scope = scope;
    this.#detail = options.detail ?? message;
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

  toJSON(): { readonly name: string; readonly code: string; readonly scope: ErrorScope; readonly message: string } {
    const { name, code, scope, message } = this;
    return { name, code, scope, message };
  }

  static {
    // What `console.log` shows. Not a method: its computed name can't stand in a declaration file.
    Object.defineProperty(this.prototype, inspect.custom, {
      value(this: LLMEtlError): string {
        const cause = this.cause === undefined ? "" : `\n  caused by ${nameOf(this.cause)}`;
        return `${this.stack ?? this.message} [${this.code}]${cause}`;
      },
    });
  }
}

/** What is wrong with one row. Sources yield it, steps and sinks throw it; the others go on. */
export class RowError extends LLMEtlError {
  constructor(code: ErrorCode | (string & {}), message: string, options?: ErrorOptions) {
    super(code, "row", message, options);
  }
}

/** What ends the run: no further row is read, and what was left undone is pending. */
export class RunError extends LLMEtlError {
  constructor(code: ErrorCode | (string & {}), message: string, options?: ErrorOptions) {
    super(code, "run", message, options);
  }
}

/** An option that is unknown, missing or has a wrong value; thrown at construction. */
export class OptionError extends RunError {
  readonly owner: string;
  readonly option: string;

  constructor(owner: string, option: string, problem: string) {
    super("INVALID_OPTION", `${owner}: option "${option}": ${problem}`);
    this.owner = owner;
    this.option = option;
  }
}

/** A setting that neither an option nor the environment gives; thrown at first use. */
export class SettingError extends RunError {
  constructor(owner: string, option: string, variable: string) {
    super(
      "SETTING_MISSING",
      `${owner}: no value for "${option}": give the option "${option}" or set the environment variable ${variable}`,
    );
  }
}

/** A Zod schema with something that no model can be asked for; thrown at construction, before any call. */
export class SchemaError extends RunError {
  readonly path: string;

  constructor(path: string, problem: string, remedy: string) {
    super("SCHEMA_NOT_SUPPORTED", `schema at ${path === "" ? "its root" : `"${path}"`}: ${problem}; ${remedy}`);
    this.path = path;
  }
}

/** The source can't be read, or can't be read any further. */
export class SourceError extends RunError {
  constructor(source: string, problem: string, options?: ErrorOptions) {
    super("SOURCE_FAILED", `${source}: ${problem}`, options);
  }
}

/** The sink can't be opened or written: not for its data, which is a {@link SinkDataError}. */
export class SinkError extends RunError {
  constructor(sink: string, problem: string, options?: ErrorOptions) {
    super("SINK_FAILED", `${sink}: ${problem}`, options);
  }
}

/** The target does not fit the column map: found by the preflight, before the first row. */
export class TargetError extends RunError {
  constructor(sink: string, problem: string, options?: ErrorOptions) {
    super("TARGET_MISMATCH", `${sink}: ${problem}`, options);
  }
}

/** The database refused a batch for the data in it. Nothing of the batch was written; the engine halves it. */
export class SinkDataError extends RowError {
  constructor(sink: string, problem: string, options?: ErrorOptions) {
    super("SINK_DATA_REFUSED", `${sink}: ${problem}`, options);
  }
}

/** A primary key that is missing, NULL, or was seen before in this run. */
export class PrimaryKeyError extends RowError {}

/** A row that the source's schema refuses. */
export class RowSchemaError extends RowError {
  constructor(message: string, options?: ErrorOptions) {
    super("ROW_SCHEMA_MISMATCH", message, options);
  }
}

/** An LLM step's `text` is empty or NULL: no call was made. */
export class EmptyInputError extends RowError {
  constructor(step: string) {
    super("EMPTY_INPUT", `${step}: the input "text" is empty or NULL, so the model was not asked`);
  }
}

/** A function of a step's `inputMap` threw, or returned something that is not text, a number, a date or NULL. */
export class InputMapError extends RowError {
  constructor(step: string, input: string, problem: string, options?: ErrorOptions) {
    super("INPUT_MAP_FAILED", `${step}: inputMap.${input} ${problem}`, options);
  }
}

/** An input is longer than `maxInputCharacters` and `onTooLong` is `"fail"`: no call was made. */
export class InputTooLongError extends RowError {
  constructor(step: string, length: number, maxInputCharacters: number) {
    super(
      "INPUT_TOO_LONG",
      `${step}: the input "text" has ${length} characters, at most ${maxInputCharacters} are allowed; ` +
        `raise maxInputCharacters or set onTooLong: "truncate"`,
    );
  }
}

/** The model's last answer did not pass validation, and no re-ask is left (or none would help). */
export class ValidationError extends RowError {
  constructor(step: string, message: string, detail: string, attempts: readonly InvalidAnswer[]) {
    super("INVALID_OUTPUT", `${step}: ${message}`, { detail });
    this.withAttempts(attempts);
  }
}

/** A step threw something that is not an llm-etl error: a bug in a function of the user's, as a rule. */
export class StepFailedError extends RowError {
  constructor(step: string, cause: unknown) {
    const detail = `step "${step}" threw ${textOf(cause)}`;
    super("STEP_FAILED", `step "${step}" threw ${nameOf(cause)}`, { cause, detail });
  }
}

/** A function of the sink's `columnMap` threw. */
export class ColumnMapError extends RowError {
  constructor(column: string, cause: unknown) {
    super("COLUMN_MAP_FAILED", `columnMap.${column} threw ${nameOf(cause)}`, {
      cause,
      detail: `columnMap.${column} threw ${textOf(cause)}`,
    });
  }
}

/** The sink's own check found values that the target can't hold; nothing was written. */
export class ValueError extends RowError {
  constructor(message: string, detail: string) {
    super("VALUE_DOES_NOT_FIT", message, { detail });
  }
}

/** The journal can't be opened, read or written. What was kept in it before is still there, unless it is damaged. */
export class JournalError extends RunError {
  constructor(path: string, problem: string, options?: ErrorOptions) {
    super("JOURNAL_FAILED", `the journal ${path} ${problem}`, options);
  }
}

/** Another run has the journal: one process at a time. */
export class JournalInUseError extends RunError {
  constructor(path: string, holder: string) {
    const advice = "wait until that run has ended or stop it, or give this pipeline another name or journalPath";
    super("JOURNAL_IN_USE", `the journal ${path} is in use by ${holder}; ${advice}`);
  }
}

/** A failed row could not be kept: the run stops rather than lose it. */
export class DeadLetterError extends RunError {
  constructor(path: string, cause: unknown) {
    super("DEAD_LETTER_FAILED", `the dead letter file ${path} can't be written (${messageOf(cause)})`, { cause });
  }
}

/** The payload log could not be written. */
export class PayloadLogError extends RunError {
  constructor(path: string, cause: unknown) {
    super(
      "PAYLOAD_LOG_FAILED",
      `the payload log ${path} can't be written (${messageOf(cause)}); free the disk, set payloadLogPath, or payloadLog: "off"`,
      { cause },
    );
  }
}
