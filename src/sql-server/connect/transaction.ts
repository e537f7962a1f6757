import type { ConnectionPool, IResult, Request } from "mssql";
import type { ErrorFacts } from "../../errors/facts.ts";
import { CommitInDoubtError } from "../../table/dialect.ts";
import { inTime } from "../../table/in-time.ts";
import { driverFacts } from "../error-meaning.ts";
import { lookingAt } from "./taken-connections.ts";

/** Runs a statement by way of a new request on the transaction's connection; an abort cancels it. */
export type Run = <Result>(use: (request: Request) => Promise<Result>) => Promise<Result>;

export interface TransactionOptions {
  /** T-SQL without parameters that goes in the round trip of the beginning, after it. @default none */
  readonly first?: string | undefined;
  /** The longest wait for the connection and the beginning, in milliseconds: two seconds where it is less. @default none */
  readonly waitMs?: number | undefined;
  /** The longest time for each request of the work, in milliseconds. @default that of the connection */
  readonly limitMs?: number | undefined;
}

/** A row of a result, by column. */
export type ResultRow = Readonly<Record<string, unknown>>;

/**
 * Does `work` in one transaction on one connection of the pool, given the result of `first`: committed where it returns true as its second part,
 * else rolled back.
 *
 * @throws {CommitInDoubtError}; what `work` threw, with the failure of the rollback if that failed, too; the signal's reason
 */
export async function inTransaction<Result>(
  pool: ConnectionPool,
  signal: AbortSignal,
  work: (run: Run, begun: IResult<ResultRow>) => Promise<readonly [result: Result, commit: boolean]>,
  options: TransactionOptions = {},
): Promise<Result> {
  signal.throwIfAborted();
  let taken: object | undefined;
  const limited: LimitedPool = withoutBeginning(pool, (connection) => {
    taken = connection;
  });
  const transaction = limited.transaction({ requestTimeout: options.limitMs });
  const run: Run = (use) => cancellable(transaction.request(), signal, use);
  const begun = await begin(transaction, run, signal, options);
  let outcome: readonly [Result, boolean];
  try {
    outcome = await work(run, begun);
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
  // Else the driver throws where nobody catches, once a server answers the commit with a rollback.
  Object.assign(transaction, { _rollbackRequested: true });
  try {
    await transaction.commit();
  } catch (cause) {
    close(taken); // it may be in the transaction yet, and is its pool's again: nothing of the next one would be kept
    throw new CommitInDoubtError(cause);
  }
  return result;
}

/** A pool of the driver's, with the time limits that its types don't have, in milliseconds. */
export interface LimitedPool {
  readonly request: (limits: { readonly requestTimeout: number | undefined }) => Request;
  readonly transaction: (limits: { readonly requestTimeout: number | undefined }) => Transaction;
}

type Transaction = ReturnType<ConnectionPool["transaction"]>;

const shortestWaitMs = 2_000;
const longestWaitMs = 2 ** 31 - 1; // of a timer

/** The same pool, whose transactions take a connection and send nothing: their first batch begins them. */
function withoutBeginning(pool: ConnectionPool, onTaken: (connection: object) => void): ConnectionPool {
  return lookingAt(pool, ({ connection }) => {
    if (connection === undefined || !("beginTransaction" in connection)) return;
    onTaken(connection);
    const beginTransaction = (begun: () => void): void => {
      Reflect.deleteProperty(connection, "beginTransaction"); // the method of its class is there again
      begun();
    };
    Object.defineProperty(connection, "beginTransaction", { configurable: true, value: beginTransaction });
  });
}

/** A connection of the driver's, which its pool replaces. */
function close(connection: object | undefined): void {
  if (connection !== undefined && "close" in connection && typeof connection.close === "function") connection.close();
}

/** T-SQL that tells, at the end of `first`, how deep the transaction is. */
export const depthQuery = "SELECT @@TRANCOUNT AS [depth];";

export interface NestingProblem {
  readonly problem: string;
  readonly facts: ErrorFacts;
}

/** The pool's connection was in a transaction already. */
export const nesting: NestingProblem = {
  problem: "the pool's connection was in a transaction already, in which a commit commits nothing",
  facts: {
    where: "pool",
    hint: "end your own transactions before the connection goes back to the pool, and leave implicit transactions off",
  },
};

/** That problem, where a transaction that has begun is within another one. */
export function nestingOf({ recordsets }: IResult<ResultRow>): NestingProblem | undefined {
  const sets = Array.isArray(recordsets) ? recordsets : [];
  const depth = sets.flatMap((rows) => rows.map((row) => row["depth"])).find((each) => each !== undefined);
  return depth === 1 ? undefined : nesting;
}

async function begin(
  transaction: Transaction,
  run: Run,
  signal: AbortSignal,
  { first = "", waitMs = longestWaitMs }: TransactionOptions,
): Promise<IResult<ResultRow>> {
  // A request of the driver's to begin sets the level, too.
  const text = `SET TRANSACTION ISOLATION LEVEL READ COMMITTED;\nBEGIN TRANSACTION;\n${first}`;
  const beginning = async (): Promise<IResult<ResultRow>> => {
    await transaction.begin();
    try {
      return await run((request) => request.batch<ResultRow>(text));
    } catch (error) {
      throw await rolledBack(transaction, error);
    }
  };
  return await inTime(beginning(), {
    signal,
    waitMs: Math.min(Math.max(waitMs, shortestWaitMs), longestWaitMs),
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

/** Uses a request, which an abort cancels. */
export async function cancellable<Result>(
  request: Request,
  signal: AbortSignal,
  use: (request: Request) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  request.arrayRowMode = false; // a pool of the user's may have these as its defaults
  request.stream = false;
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
    const isOver = code === "EABORT" || code === "ENOTBEGUN" || driverFacts(failure).numbers.includes(notBegun);
    if (isOver) return error;
    return new AggregateError([error, failure], "a batch failed, and so did its rollback");
  }
  return error;
}

/** There is no transaction to roll back. */
const notBegun = 3903;
