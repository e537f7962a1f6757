import type { Client, ClientBase, Pool } from "pg";
import type { Ask, LockConnection, LockKind } from "../../journal-tables/database.ts";
import { pooled } from "../../journal-tables/lock.ts";
import { withClient } from "../connect/client.ts";
import type { PostgreSQLConnection } from "../connect/connection.ts";
import { readOnlyProblem, sharesBackends } from "../connect/server-state.ts";

export function askOn(client: ClientBase): Ask {
  return async (sql, values = []) => (await client.query<Record<string, unknown>>(sql, [...values])).rows;
}

/** The server frees the lock of a machine that is gone within 50 seconds; older servers don't know each of these settings. */
const settings = `SELECT set_config(name, value, false) FROM (VALUES ('tcp_user_timeout', '50000'), ('idle_session_timeout', '0'))
  AS wanted (name, value) JOIN pg_settings USING (name)`;

/** A connection for advisory locks. @throws {JournalError} if a pooler on the way gives them to others, too; what the driver throws */
export async function openLockConnection(
  { session }: PostgreSQLConnection,
  pool: Pool,
  signal: AbortSignal,
  identity: string,
): Promise<LockConnection> {
  const client = await session(signal);
  const ask = askOn(client);
  try {
    await ask(settings);
    if (await withClient(pool, signal, async (other) => await sharesBackends(client, other))) throw pooled(identity);
  } catch (error) {
    await endInTime(client);
    throw error;
  }
  const call = async (verb: "try_advisory_lock" | "advisory_unlock", name: string, kind: LockKind) => {
    const suffix = kind === "shared" ? "_shared" : "";
    return (await ask(`SELECT pg_${verb}${suffix}(('x' || $1::text)::bit(64)::bigint)::text AS done`, [name]))[0];
  };
  return {
    ask,
    tryToLock: async (name, kind) => (await call("try_advisory_lock", name, kind))?.["done"] === "true",
    unlock: async (name, kind) => void (await call("advisory_unlock", name, kind)),
    onceGone: (listener) => {
      for (const event of ["error", "end"]) client.once(event, listener);
    },
    prove: async () => {
      const problem = await readOnlyProblem(ask);
      if (problem !== undefined) throw new Error(`the server ${problem}`);
    },
    end: async () => await endInTime(client),
  };
}

/** The driver waits for the server's end of the connection, which does not come where the network is silent. */
async function endInTime(client: Client): Promise<void> {
  const timer = setTimeout(() => client.connection.stream.destroy(), 1_000);
  await client.end();
  clearTimeout(timer);
}
