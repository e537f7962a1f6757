import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { SinkDataError, SinkError } from "../errors/sink.ts";
import type { ErrorMeaning, TableColumn, TableConnection, TableDialect, Target } from "./dialect.ts";
import { retryPassing } from "./retry.ts";

export interface Attempts<Connection extends TableConnection, Column extends TableColumn<Value>, Value> {
  readonly dialect: TableDialect<Connection, Column, Value>;
  readonly connection: Connection;
  readonly sink: string;
  readonly target: Target<Column, Value> | undefined;
  /** Rows are being written: only then may an error be theirs. @default false */
  readonly isWriting?: boolean | undefined;
}

/**
 * Tries again while the failure is a passing one, and says of the last what went wrong. An attempt is given the time that is left for waits, in
 * milliseconds.
 */
export async function tryAgain<Connection extends TableConnection, Column extends TableColumn<Value>, Value, Result>(
  attempt: (leftMs: number) => Promise<Result>,
  { dialect, connection, sink, target, isWriting = false }: Attempts<Connection, Column, Value>,
): Promise<Result> {
  const { signal, patienceMs, retryDelaysMs } = connection;
  let triedForMs = 0;
  const meaningOf = (error: unknown): ErrorMeaning =>
    dialect.meaningOf(error, connection, target, { triedForMs, isWriting });
  try {
    return await retryPassing(attempt, {
      signal,
      patienceMs,
      delaysMs: retryDelaysMs,
      passing: (error) => {
        if (error instanceof LLMEtlError) return undefined;
        const meaning = meaningOf(error);
        return meaning.kind === "passing" ? meaning : undefined;
      },
      onGiveUp: (elapsedMs) => {
        triedForMs = elapsedMs;
      },
    });
  } catch (cause) {
    if (cause instanceof LLMEtlError) throw cause;
    signal.throwIfAborted();
    const { kind, problem, detail, facts } = meaningOf(cause);
    throw kind === "data"
      ? new SinkDataError(sink, problem, { cause, detail, facts })
      : new SinkError(sink, problem, { cause, detail, facts });
  }
}
