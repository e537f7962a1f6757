import type { ConnectionPool } from "mssql";
import type { LockConnection } from "../../journal-tables/database.ts";
import type { Driver } from "../connect/driver.ts";
import { holdConnection } from "../connect/held-connection.ts";
import { cancellable } from "../connect/transaction.ts";
import { askBy } from "./ask.ts";
import { lockResource } from "./dialect.ts";

const modes = { alone: "Exclusive", shared: "Shared" } as const;

/** A session for locks, which the server frees when it ends. @throws what the driver throws */
export async function openLockConnection(
  driver: Driver,
  pool: ConnectionPool,
  signal: AbortSignal,
): Promise<LockConnection> {
  const held = await holdConnection(pool, signal);
  const call = async (procedure: string, given: Readonly<Record<string, string | number>>): Promise<number> => {
    const request = held.request();
    for (const [name, value] of Object.entries({ ...given, LockOwner: "Session" })) request.input(name, value);
    return Number((await request.execute(procedure)).returnValue);
  };
  const ask = askBy(driver, async (use) => await cancellable(held.request(), signal, use));
  return {
    ask,
    tryToLock: async (name, kind) => {
      const wanted = { Resource: lockResource(name), LockMode: modes[kind], LockTimeout: 0 };
      const code = await call("sp_getapplock", wanted);
      if (code < -1) throw new Error(`sp_getapplock returned ${code}`);
      return code >= 0;
    },
    unlock: async (name) => void (await call("sp_releaseapplock", { Resource: lockResource(name) })),
    onceGone: held.onceGone,
    prove: async () => {
      const [line] = await ask(
        "SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS nvarchar(60)) AS updateability",
      );
      if (line?.["updateability"] === "READ_ONLY") throw new Error("the server has the database read-only");
    },
    end: async () => held.end(),
  };
}
