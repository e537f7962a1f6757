import { type ErrorOptions, RowError, RunError } from "./llm-etl-error.ts";

/** The source can't be read, or can't be read any further. `facts.source` names it. */
export class SourceError extends RunError {
  constructor(source: string, problem: string, options: ErrorOptions = {}) {
    super("SOURCE_FAILED", `${source}: ${problem}`, { ...options, facts: { source, ...options.facts } });
  }
}

/** A row's primary key is missing or NULL, or was seen before in this run. */
export class PrimaryKeyError extends RowError {}

/** The source's schema rejects a row. */
export class RowSchemaError extends RowError {
  constructor(message: string, options?: ErrorOptions) {
    super("ROW_SCHEMA_MISMATCH", message, options);
  }
}
