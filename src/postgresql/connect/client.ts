import type { ClientBase, Pool, PoolClient } from "pg";
import * as pooled from "../../table/pooled-work.ts";
import { driverFacts, isOfConnection, isOfServer, noteWait } from "../error-meaning.ts";

/** Does `work` on one connection of the pool: see `table/pooled-work.ts`. */
export async function withClient<Result>(
  pool: Pool,
  signal: AbortSignal,
  work: (client: ClientBase) => Promise<Result>,
  options?: pooled.WorkOptions,
): Promise<Result> {
  return await pooled.withClient(workOf(pool, signal), work, options);
}

/** Does `work` in one transaction, likewise. */
export async function inTransaction<Result>(
  pool: Pool,
  signal: AbortSignal,
  work: (client: ClientBase) => Promise<readonly [result: Result, commit: boolean]>,
  options?: pooled.WorkOptions,
): Promise<Result> {
  return await pooled.inTransaction(workOf(pool, signal), work, options);
}

/** A server that takes no writes any more was the primary one: new connections lead to that of now. */
function isOver(error: unknown): boolean {
  return isOfConnection(error) || driverFacts(error).states.includes("25006");
}

function workOf(pool: Pool, signal: AbortSignal): pooled.PooledWork<PoolClient> {
  return { connect: async () => await pool.connect(), signal, isOfConnection: isOver, isOfServer, noteWait };
}
