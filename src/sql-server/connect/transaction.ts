import type { ConnectionPool, Request } from "mssql";
import { CommitInDoubtError } from "../../table/dialect.ts";
import { inTime } from "../../table/in-time.ts";

/** Runs a statement by way of a new request on the transaction's connection; an abort cancels it. */
export type Run = <Result>(use: (request: Request) => Promise<Result>) => Promise<Result>;

/**
 * Does `work` in one transaction on one connection of the pool: committed where it returns true as its second part, else rolled back. It
 * waits `waitMs` milliseconds for the connection and the beginning, and two seconds where that is less.
 *
 * @throws {CommitInDoubtError}; what `work` threw, with the failure of the rollback if that failed, too; the signal's reason
 */
export async function inTransaction<Result>(
  pool: ConnectionPool,
  signal: AbortSignal,
  work: (run: Run) => Promise<readonly [result: Result, commit: boolean]>,
  waitMs: number = longestWaitMs,
): Promise<Result> {
  signal.throwIfAborted();
  const transaction = pool.transaction();
  await begin(transaction, signal, Math.min(Math.max(waitMs, shortestWaitMs), longestWaitMs));
  let outcome: readonly [Result, boolean];
  try {
    outcome = await work((use) => cancellable(transaction.request(), signal, use));
    signal.throwIfAborted();
  } catch (error) {
    const reason: unknown = signal.aborted ? signal.reason : error;
    throw await rolledBack(transaction, reason);
  }
  const [result, commit] = outcome;
  if (!commit) {
    await transaction.rollback();
    return result;
  }
  try {
    await transaction.commit();
  } catch (cause) {
    throw new CommitInDoubtError(cause);
  }
  return result;
}

type Transaction = ReturnType<ConnectionPool["transaction"]>;

const shortestWaitMs = 2_000;
const longestWaitMs = 2 ** 31 - 1; // of a timer

async function begin(transaction: Transaction, signal: AbortSignal, waitMs: number): Promise<void> {
  await inTime(transaction.begin(), {
    signal,
    waitMs,
    timeOver: (waitedMs) => new NoConnectionError(waitedMs),
    onLate: async () => await transaction.rollback(),
  });
}

/** No connection came, or none that answered, in the time for it. */
class NoConnectionError extends Error {
  readonly code = "ETIMEOUT";
  readonly waitedMs: number;

  constructor(waitMs: number) {
    super(`no connection to the server within ${waitMs} milliseconds`);
    this.name = "NoConnectionError";
    this.waitedMs = waitMs;
  }
}

async function cancellable<Result>(
  request: Request,
  signal: AbortSignal,
  use: (request: Request) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  request.arrayRowMode = false; // a pool of the user's may have it as its default
  const cancel = (): void => request.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    return await use(request);
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

/** Rolls back and gives the error to throw. The server may have rolled back already, as it does on most errors. */
async function rolledBack(transaction: Transaction, error: unknown): Promise<unknown> {
  try {
    await transaction.rollback();
  } catch (failure) {
    const code = failure instanceof Error && "code" in failure ? failure.code : undefined;
    if (code === "EABORT" || code === "ENOTBEGUN") return error;
    return new AggregateError([error, failure], "a batch failed, and so did its rollback");
  }
  return error;
}
