import { type ErrorOptions, RowError, RunError } from "./llm-etl-error.ts";
import { describeThrown, thrownBy, thrownDetail } from "./thrown.ts";

/** The sink can't be opened or written. The data is not to blame: that is a {@link SinkDataError}. */
export class SinkError extends RunError {
  constructor(sink: string, problem: string, options: ErrorOptions = {}) {
    super("SINK_FAILED", `${sink}: ${problem}`, { ...options, facts: { sink, ...options.facts } });
  }
}

/** The target does not fit the column map. The preflight finds it, before the first row. */
export class TargetError extends RunError {
  constructor(sink: string, problem: string, options: ErrorOptions = {}) {
    super("TARGET_MISMATCH", `${sink}: ${problem}`, { ...options, facts: { sink, ...options.facts } });
  }
}

/** The database rejected a batch for its data. Nothing of the batch was written; the engine halves it. */
export class SinkDataError extends RowError {
  constructor(sink: string, problem: string, options: ErrorOptions = {}) {
    super("SINK_DATA_REFUSED", `${sink}: ${problem}`, { ...options, facts: { sink, ...options.facts } });
  }
}

/** A function of the sink's `columnMap` threw. */
export class ColumnMapError extends RowError {
  constructor(column: string, cause: unknown) {
    super("COLUMN_MAP_FAILED", `columnMap.${column} threw ${describeThrown(cause)}`, {
      cause,
      detail: `columnMap.${column} threw ${thrownDetail(cause)}`,
      facts: { where: column, ...thrownBy(cause) },
    });
  }
}

/** A function of `each` threw, or gave no array of items that can be told apart; or two rows have one group. */
export class EachError extends RowError {
  /** @param where `items`, `key`, `mergeKeys` or `groupKey` */
  constructor(where: "items" | "key" | "mergeKeys" | "groupKey", problem: string, options: ErrorOptions = {}) {
    super("EACH_FAILED", `each: ${where} ${problem}`, {
      ...options,
      facts: { where: `each.${where}`, ...options.facts },
    });
  }
}

/** The sink's own check found values that the target can't hold. Nothing was written. `facts.where` has their columns. */
export class ValueError extends RowError {
  constructor(message: string, detail: string, columns: readonly string[] = []) {
    super("VALUE_DOES_NOT_FIT", message, { detail, facts: { where: columns } });
  }
}
