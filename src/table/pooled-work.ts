import { CommitInDoubtError } from "./dialect.ts";
import { inTime } from "./in-time.ts";

/** One connection of a pool, as drivers have it. */
export interface PooledClient {
  readonly query: (sql: string) => Promise<{ readonly command: string }>;
  readonly on: (event: "error", listener: (error: Error) => void) => unknown;
  readonly off: (event: "error", listener: (error: Error) => void) => unknown;
  readonly end: () => unknown;
  readonly release: (broken?: Error) => void;
}

/** A driver's pool, and the meaning of its errors. */
export interface PooledWork<Client extends PooledClient> {
  readonly connect: () => Promise<Client>;
  readonly signal: AbortSignal;
  /** The connection has ended, or is about to. */
  readonly isOfConnection: (error: unknown) => boolean;
  /** The server itself answered with this error: the statement was not carried out. */
  readonly isOfServer: (error: unknown) => boolean;
  /** Takes down on an error how long a connection had been waited for. */
  readonly noteWait: (error: unknown, waitedMs: number) => void;
}

/** Bounds of the work on one connection. */
export interface WorkOptions {
  /** The longest wait for the connection, in milliseconds, and two seconds where that is less. @default the time for a login */
  readonly waitMs?: number | undefined;
  /** The longest time for the work, in milliseconds: a network that is silent is no answer. @default none */
  readonly limitMs?: number | undefined;
}

/**
 * Does `work` on one connection of the pool. When the signal aborts, or the time is over, the connection is closed: the server rolls back what
 * it was at.
 *
 * @throws what `work` threw, or what broke the connection meanwhile; the signal's reason
 */
export async function withClient<Client extends PooledClient, Result>(
  pool: PooledWork<Client>,
  work: (client: Client) => Promise<Result>,
  { waitMs, limitMs }: WorkOptions = {},
): Promise<Result> {
  const { signal, isOfConnection, isOfServer } = pool;
  signal.throwIfAborted();
  const client = await acquire(pool, waitMs);
  let broken: Error | undefined;
  const onError = (error: Error): void => {
    broken ??= error;
  };
  const cut = (error: Error): void => {
    onError(error);
    void client.end(); // closes its socket in the middle of a statement, too
  };
  const onAbort = (): void => cut(new Error("the work was aborted", { cause: signal.reason }));
  const timer = limitMs === undefined ? undefined : setTimeout(() => cut(timeOver(limitMs)), limitMs);
  client.on("error", onError);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await work(client);
  } catch (error) {
    const first = broken; // the first thing that went wrong: what came of it has no code
    if (isOfConnection(error)) broken ??= new Error("the connection ended", { cause: error });
    if (error instanceof CommitInDoubtError) throw error;
    signal.throwIfAborted();
    throw first === undefined || isOfServer(error) ? error : first;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    client.off("error", onError);
    client.release(broken);
  }
}

/**
 * Does `work` in one transaction: committed where it returns true as its second part, else rolled back.
 *
 * @throws {CommitInDoubtError} where no answer came to the commit; else as {@link withClient}
 */
export async function inTransaction<Client extends PooledClient, Result>(
  pool: PooledWork<Client>,
  work: (client: Client) => Promise<readonly [result: Result, commit: boolean]>,
  options: WorkOptions = {},
): Promise<Result> {
  return await withClient(
    pool,
    async (client) => {
      await client.query("BEGIN");
      const rollBack = async (): Promise<unknown> => await client.query("ROLLBACK");
      let outcome: readonly [Result, boolean];
      try {
        outcome = await work(client);
        pool.signal.throwIfAborted();
      } catch (error) {
        await Promise.allSettled([rollBack()]); // on a connection that is gone the server has done so
        throw error;
      }
      const [result, commit] = outcome;
      await (commit ? commitOf(client, pool) : rollBack());
      return result;
    },
    options,
  );
}

async function commitOf<Client extends PooledClient>(
  client: Client,
  { isOfServer }: PooledWork<Client>,
): Promise<void> {
  let answer: { readonly command: string };
  try {
    answer = await client.query("COMMIT");
  } catch (cause) {
    if (isOfServer(cause)) throw cause; // a deferred constraint, a conflict: it was rolled back
    throw new CommitInDoubtError(cause);
  }
  // A transaction in which a statement has failed is rolled back, and the server reports no error.
  if (answer.command !== "COMMIT") throw new Error("the server rolled a transaction back at its commit");
}

async function acquire<Client extends PooledClient>(
  { connect, signal, noteWait }: PooledWork<Client>,
  waitMs: number | undefined,
): Promise<Client> {
  const startedAt = performance.now();
  const longestMs = waitMs === undefined ? undefined : Math.max(waitMs, 2_000);
  try {
    return await inTime(connect(), { signal, waitMs: longestMs, timeOver, onLate: (client) => client.release() });
  } catch (error) {
    if (!signal.aborted) noteWait(error, performance.now() - startedAt);
    throw error;
  }
}

/** The error where a server gave no answer for so long. */
export function timeOver(limitMs: number): Error {
  return Object.assign(new Error(`no answer of the server within ${Math.round(limitMs)} milliseconds`), {
    code: "ETIMEDOUT",
  });
}
