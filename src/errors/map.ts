import { type ErrorOptions, RunError } from "./llm-etl-error.ts";

/** A function of a `columnMap` or an `inputMap` does not fit what the pipeline has. Found before the first call. */
export class MapError extends RunError {
  /** @param where the function: `columnMap.kind`, `inputMap.text of kind` */
  constructor(where: string, problem: string, options: ErrorOptions = {}) {
    super("MAP_MISMATCH", `${where} ${problem}`, { ...options, facts: { where, ...options.facts } });
  }
}
