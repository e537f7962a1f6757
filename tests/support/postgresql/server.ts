import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A PostgreSQL server on this machine, of a test's own. It ends with the test's process at the latest. */
export interface PostgreSQLServer {
  readonly port: number;
  /** The connection string for one of its databases. */
  readonly url: (database?: string) => string;
  /** Starts it again, on the same port and data, and waits until it takes connections. A "standby" is read-only until `pg_promote()`. */
  readonly start: (as?: "standby") => Promise<void>;
  /** Shuts it down; with "kill" it has crashed, and recovers at its next start. */
  readonly stop: (how?: "kill") => Promise<void>;
  /** Ends it for good, and removes its files. */
  readonly remove: () => Promise<void>;
}

/** Starts a server with an empty data directory; it takes a second or two. */
export async function startPostgreSQL(): Promise<PostgreSQLServer> {
  const path = fileURLToPath(new URL("./server-process.ts", import.meta.url));
  const owner = fork(path, { stdio: ["ignore", "ignore", "inherit", "ipc"], execArgv: [] });
  const obeyed = async (): Promise<number> => {
    const answered = new AbortController();
    const { signal } = answered;
    const [said] = await Promise.race([
      once(owner, "message", { signal }),
      once(owner, "exit", { signal }).then(() => [{ error: "the process that owns the server ended" }]),
    ]);
    answered.abort(); // takes the listener of the other back
    const { port, error } = said as { readonly port?: number; readonly error?: string }; // as server-process.ts sends it
    if (port === undefined) throw new Error(`PostgreSQL: ${error ?? "no answer"}`);
    return port;
  };
  const ask = async (wanted: "start" | "standby" | "stop" | "kill"): Promise<void> => {
    const answer = obeyed();
    owner.send(wanted);
    await answer;
  };
  const port = await obeyed();
  owner.unref();
  owner.channel?.unref();
  return {
    port,
    url: (database = "postgres") => `postgresql://postgres@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    start: async (as) => await ask(as ?? "start"),
    stop: async (how) => await ask(how ?? "stop"),
    remove: async () => {
      if (owner.exitCode !== null) return;
      const exited = once(owner, "exit");
      owner.ref();
      if (owner.connected) owner.disconnect();
      await exited;
    },
  };
}
