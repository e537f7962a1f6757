import type { DatabaseSync } from "node:sqlite";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { SinkError } from "../errors/sink.ts";
import type { TableConnection } from "../table/dialect.ts";
import { isKind } from "./errors.ts";
import { lockWait, openDatabase, requireDatabaseFile, untilUnlocked } from "./open.ts";

export interface SQLiteConnection extends TableConnection {
  readonly database: DatabaseSync;
  readonly path: string;
  /** Nothing is to be changed. */
  readonly isLook: boolean;
  /** Texts that spell numbers are stored as numbers also where their digits change. */
  readonly coerces: boolean;
}

/** Opens a database for writing, to it or only for a look. */
export async function connect(
  path: string,
  signal: AbortSignal,
  use: Pick<SQLiteConnection, "isLook" | "coerces">,
): Promise<SQLiteConnection> {
  signal.throwIfAborted();
  await requireDatabaseFile(path, fail);
  try {
    const database = await untilUnlocked(() => openDatabase(path, false, fail), signal);
    const close = async (): Promise<void> => {
      if (database.isOpen) database.close();
    };
    return { database, path, ...use, signal, ...lockWait, close };
  } catch (cause) {
    if (!isKind(cause, "busy")) throw cause;
    throw fail(stayedLocked(path), { cause });
  }
}

function fail(problem: string, options?: ErrorOptions): SinkError {
  return new SinkError("sqlite", problem, options);
}

export function stayedLocked(path: string): string {
  const advice = "end the transaction of the program that holds it";
  return `${path} stayed locked by another connection for ${lockWait.patienceMs / 1000} seconds; ${advice}`;
}
