import type { DatabaseSync } from "node:sqlite";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { SinkError } from "../errors/sink.ts";
import { isMountPoint } from "../files/mount-point.ts";
import { OpenFile } from "../files/open-file.ts";
import { realPath } from "../files/real-path.ts";
import type { TableConnection } from "../table/dialect.ts";
import { isKind } from "./errors.ts";
import { lockWait, openDatabase, requireDatabaseFile, untilUnlocked } from "./open.ts";

export interface SQLiteConnection extends TableConnection {
  readonly database: DatabaseSync;
  /** To see whether it is still under its path. */
  readonly file: OpenFile;
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
  use: Pick<SQLiteConnection, "isLook" | "patienceMs" | "coerces">,
): Promise<SQLiteConnection> {
  signal.throwIfAborted();
  await requireDatabaseFile(path, fail);
  if (isMountPoint(realPath(path))) {
    const facts = { where: path, problem: "mounted", hint: "mount its folder: its write-ahead log stands beside it" };
    throw fail(`the database ${path} is mounted as a single file`, { facts });
  }
  const { retryDelaysMs } = lockWait;
  try {
    const database = await untilUnlocked(() => openDatabase(path, false, fail), signal, use.patienceMs);
    const file = new OpenFile(path, { isNeverEmpty: true });
    const close: TableConnection["close"] = async (outcome) => {
      if (!database.isOpen) return;
      database.close();
      if (outcome === "completed") requireInPlace(file); // it went after the last commit
    };
    return { database, file, path, ...use, signal, retryDelaysMs, close };
  } catch (cause) {
    if (!isKind(cause, "busy")) throw cause;
    throw fail(stayedLocked({ path, ...use }), { cause });
  }
}

function fail(problem: string, options?: ErrorOptions): SinkError {
  return new SinkError("sqlite", problem, options);
}

export function stayedLocked({ path, patienceMs }: Pick<SQLiteConnection, "path" | "patienceMs">): string {
  const advice = "end the transaction of the program that holds it";
  return `${path} stayed locked by another connection for ${patienceMs / 1000} seconds; ${advice}`;
}

/**
 * Makes sure that a file of the database is the one that has its name: what is committed to another is lost when it is closed.
 *
 * @throws {SinkError} if it is not
 */
export function requireInPlace(file: OpenFile): void {
  const problem = file.problem();
  if (problem === undefined) return;
  const hint = "put it back, and run again; where rows are missing then, with fresh: true (--fresh)";
  const consequence = "what was written since then, or all of it, is lost";
  throw fail(`${file.path} ${problem} while this run was writing to it: ${consequence}`, {
    facts: { where: file.path, problem, hint },
  });
}
