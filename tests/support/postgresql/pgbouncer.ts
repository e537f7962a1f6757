import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import pg from "pg";

/** The reason to skip tests through pgbouncer, or false: it is a package of the operating system. */
export const noPgbouncer: string | false = isOnPath() ? false : "pgbouncer is not on the PATH";

/** A pgbouncer in transaction mode before a database. */
export interface Pgbouncer {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/**
 * @param database the connection string of the database behind it
 * @param connections the most that it has to the database, for all its clients together
 */
export async function startPgbouncer(database: string, connections: number): Promise<Pgbouncer> {
  const { hostname, port: behind, pathname, username } = new URL(database);
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "pgbouncer-"));
  chmodSync(folder, 0o755);
  const config = join(folder, "pgbouncer.ini");
  const settings = [
    "[databases]",
    `* = host=${hostname} port=${behind} user=${username}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = any",
    "pool_mode = transaction",
    `default_pool_size = ${connections}`,
  ];
  writeFileSync(config, `${settings.join("\n")}\n`);
  const asUser = process.getuid?.() === 0 ? ["-u", "nobody"] : []; // it does not run as root
  const child = spawn("pgbouncer", [...asUser, config], { stdio: "ignore" });
  const url = `postgresql://${username}@127.0.0.1:${port}${pathname}`;
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.kill()) await once(child, "exit");
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; ; tries += 1) {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => {});
    try {
      await client.connect();
      await client.end();
      return { url, stop };
    } catch (error) {
      if (tries < 100 && child.exitCode === null) await setTimeout(100);
      else {
        await stop();
        throw error;
      }
    }
  }
}

function isOnPath(): boolean {
  try {
    execFileSync("pgbouncer", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("a TCP server has a port");
  return address.port;
}
