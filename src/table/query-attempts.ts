import { messageOf } from "../errors/error-text.ts";
import { type ErrorOptions, LLMEtlError } from "../errors/llm-etl-error.ts";
import { retryPassing, type RetryOptions } from "./retry.ts";
import { type QueryError, queryProblem } from "./sql-state.ts";

/** The query of a source, and the meaning of its server's errors. */
export interface QueryAttemptOptions extends Pick<RetryOptions, "patienceMs" | "delaysMs" | "passing" | "sleep"> {
  /** The query's name in messages: `the sql`. */
  readonly where: string;
  readonly fail: (problem: string, options: ErrorOptions) => Error;
  readonly found: (error: unknown) => Omit<QueryError, "message">;
  /** Does an attempt, and takes down on its error how long it waited. @default nothing is taken down */
  readonly timing?: (<Result>(attempt: () => Promise<Result>) => Promise<Result>) | undefined;
}

/** `when`: for a message, how far a reading had come: see `afterRow`. */
export interface Trying {
  readonly signal: AbortSignal;
  readonly when?: string;
}

/** Attempts at a source's query. */
export class QueryAttempts {
  readonly #options: QueryAttemptOptions;

  constructor(options: QueryAttemptOptions) {
    this.#options = options;
  }

  /** Tries again after what passes. @throws as {@link failure} */
  readonly try = async <Result>(attempt: () => Promise<Result>, trying: Trying): Promise<Result> => {
    try {
      const { timing = async (once) => await once() } = this.#options;
      return await retryPassing(async () => await timing(attempt), { ...this.#options, signal: trying.signal });
    } catch (error) {
      throw this.failure(error, trying);
    }
  };

  /** The error of a query that failed; its message holds no cell. The signal's reason once that is aborted. */
  readonly failure = (error: unknown, { signal, when = "", hint }: Trying & { readonly hint?: string }): unknown => {
    if (signal.aborted) return signal.reason;
    if (error instanceof LLMEtlError) return error;
    const { where, fail, found, passing } = this.#options;
    const { reason, isOfQuery, step, facts } = queryProblem({ ...found(error), message: messageOf(error) });
    const detail = `${where} failed${when}: ${messageOf(error)}`;
    const all = { where, ...facts, isOfQuery, hint: passing(error) === undefined ? step : (hint ?? step) };
    return fail(`${where} failed${when}: ${reason}`, { cause: error, detail, facts: all });
  };
}
