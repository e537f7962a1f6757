import type { ClientBase } from "pg";

/**
 * True where a pooler in transaction mode is on the way (pgbouncer's `pool_mode=transaction`, RDS Proxy, Supavisor): it gives each transaction some
 * connection to the server, so that two clients may hold one advisory lock, and settings and temporary tables vanish. Told by two
 * connections that are open at the same time, and have one process of the server, or one that changes.
 */
export async function sharesBackends(one: ClientBase, other: ClientBase): Promise<boolean> {
  const seen: string[] = [];
  for (let round = 0; round < 3; round += 1) {
    for (const client of [one, other]) {
      const { rows } = await client.query<{ pid: unknown }>("SELECT pg_backend_pid() AS pid");
      seen.push(String(rows[0]?.pid));
    }
  }
  return seen[0] === seen[1] || seen.some((pid, index) => pid !== seen[index % 2]);
}

/** Why nothing can be written there, if so; completes "the server …". */
export async function readOnlyProblem(
  ask: (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>,
): Promise<string | undefined> {
  const [line] = await ask(
    "SELECT pg_is_in_recovery()::text AS replica, current_setting('transaction_read_only') AS readonly",
  );
  if (line?.["replica"] === "true") return "is a read-only replica";
  return line?.["readonly"] === "on" ? "takes no writes: default_transaction_read_only is on" : undefined;
}
