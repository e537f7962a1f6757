import { type ErrorOptions, RowError, RunError } from "./llm-etl-error.ts";

/** The source can't be read, or can't be read any further. */
export class SourceError extends RunError {
  constructor(source: string, problem: string, options: ErrorOptions = {}) {
    super("SOURCE_FAILED", `${source}: ${problem}`, { ...options, facts: { source, ...options.facts } });
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
