import { type ErrorOptions, RunError } from "./llm-etl-error.ts";

/** The data of a taxonomy are no tree of categories. `facts.problem` says what is wrong, `facts.rows` in which of its rows. */
export class TaxonomyError extends RunError {
  constructor(owner: string, problem: string, options: ErrorOptions = {}) {
    super("TAXONOMY_INVALID", `${owner}: ${problem}`, options);
  }
}
