import { setTimeout } from "node:timers/promises";
import type { ConnectionPool } from "mssql";
import type { LockConnection } from "../../journal-tables/database.ts";
import type { Driver } from "../connect/driver.ts";
import { holdConnection } from "../connect/held-connection.ts";
import { cancellable, depthQuery } from "../connect/transaction.ts";
import { askBy } from "./ask.ts";
import { lockResource } from "./dialect.ts";

/** In milliseconds. */
const longestEndMs = 1_000;

const modes = { alone: "Exclusive", shared: "Shared" } as const;

/**
 * A session for locks, which the server frees when it ends.
 *
 * @throws what `nested` makes, for a connection of a user's pool that is in a transaction; what the driver throws
 */
export async function openLockConnection(
  driver: Driver,
  pool: ConnectionPool,
  signal: AbortSignal,
  nested: () => Error,
): Promise<LockConnection> {
  const held = await holdConnection(pool, signal);
  const call = async (procedure: string, given: Readonly<Record<string, string | number>>): Promise<number> => {
    const request = held.request();
    for (const [name, value] of Object.entries({ ...given, LockOwner: "Session" })) request.input(name, value);
    return Number((await request.execute(procedure)).returnValue);
  };
  const locks = new Set<string>();
  const unlock = async (name: string): Promise<void> => {
    await call("sp_releaseapplock", { Resource: lockResource(name) });
    locks.delete(name);
  };
  /** One after the other: a connection does one thing at a time. */
  const unlockAll = async (): Promise<void> => {
    for (const name of locks) await unlock(name);
  };
  const noSignal = new AbortController().signal; // a run that was stopped keeps its lock to the end
  const ask = askBy(driver, async (use) => await cancellable(held.request(), noSignal, use));
  const [found] = await ask(depthQuery).catch((error: unknown) => {
    held.end();
    throw error;
  });
  if (Number(found?.["depth"]) !== 0) {
    held.release();
    throw nested();
  }
  return {
    ask,
    tryToLock: async (name, kind) => {
      const wanted = { Resource: lockResource(name), LockMode: modes[kind], LockTimeout: 0 };
      const code = await call("sp_getapplock", wanted);
      if (code < -1) throw new Error(`sp_getapplock returned ${code}`);
      if (code >= 0) locks.add(name);
      return code >= 0;
    },
    unlock,
    onceGone: held.onceGone,
    prove: async () => {
      const [line] = await ask(
        "SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS nvarchar(60)) AS updateability",
      );
      if (line?.["updateability"] === "READ_ONLY") throw new Error("the server has the database read-only");
    },
    end: async () => {
      // A server may be late to notice the end of a connection, and a network may be silent.
      const unlocked = Promise.allSettled([unlockAll()]);
      await Promise.race([unlocked, setTimeout(longestEndMs, undefined, { ref: false })]);
      held.end();
    },
  };
}
