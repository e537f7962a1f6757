import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout } from "node:timers/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { binariesFor, serverUser } from "./binaries.ts";

/**
 * A process that owns one PostgreSQL server: it starts it, obeys `start`, `standby`, `stop` and `kill` of its parent, and ends it when the parent is gone,
 * however that ended. Nothing is left behind: neither a process nor a file.
 */
const folder = mkdtempSync(join(openFolder(), "llm-etl-postgresql-"));
chmodSync(folder, 0o755);
const data = join(folder, "data");
const environment = { ...process.env, LC_ALL: "C", LC_MESSAGES: "C", TZ: "UTC" };
let server: ChildProcess | undefined;
/** Everyone may log in; these two have to bring what their names say. */
const logins = [
  "host all wants_password 127.0.0.1/32 scram-sha-256",
  "hostssl all wants_tls 127.0.0.1/32 trust",
  "host all wants_tls 127.0.0.1/32 reject",
  "host all all 127.0.0.1/32 trust",
].join("\n");

try {
  const binaries = binariesFor(folder);
  mkdirSync(data, { mode: 0o700 });
  own(data);
  const flags = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"];
  execFileSync(join(binaries, "bin", "initdb"), ["-D", data, ...flags], {
    ...serverUser,
    cwd: folder,
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  writeFileSync(join(data, "pg_hba.conf"), logins);
  for (const name of ["certificate.pem", "key.pem"]) {
    const copy = join(data, name);
    copyFileSync(new URL(`../../fixtures/tls/${name}`, import.meta.url), copy);
    chmodSync(copy, 0o600);
    own(copy);
  }
  const port = await freePort();
  await start(binaries, port);
  process.on("message", (wanted) => void obey(wanted, binaries, port));
  process.send?.({ port });
} catch (error) {
  process.send?.({ error: String(error) });
  await end();
}
process.on("disconnect", () => void end());
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end());

function own(path: string): void {
  if (serverUser.uid !== undefined) chownSync(path, serverUser.uid, serverUser.gid ?? serverUser.uid);
}

async function obey(wanted: unknown, binaries: string, port: number): Promise<void> {
  try {
    if (wanted === "standby") {
      writeFileSync(join(data, "standby.signal"), ""); // until it is promoted
      own(join(data, "standby.signal"));
    }
    if (wanted === "start" || wanted === "standby") await startAgain(binaries, port);
    else await stop(wanted === "kill" ? "SIGKILL" : "SIGINT");
    process.send?.({ port });
  } catch (error) {
    process.send?.({ error: String(error) });
  }
}

/** Starts it after a crash, too: processes of the old server may live on for moments, and hold its memory. */
async function startAgain(binaries: string, port: number): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await start(binaries, port);
      return;
    } catch (error) {
      if (tries >= 100 || !/shared memory|lock file|could not bind/.test(String(error))) throw error;
      await setTimeout(100);
    }
  }
}

/** Resolves when the server takes connections. */
async function start(binaries: string, port: number): Promise<void> {
  const settings = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    fsync: "off", // a crash of the server loses nothing, only one of the machine
    max_connections: "200",
    shared_buffers: "32MB",
    max_wal_size: "256MB",
    logging_collector: "off",
    ssl: "on",
    ssl_cert_file: "certificate.pem",
    ssl_key_file: "key.pem",
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  const child = spawn(join(binaries, "bin", "postgres"), ["-D", data, "-p", String(port), ...flags], {
    ...serverUser,
    cwd: folder,
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  server = child;
  let said = "";
  await new Promise<void>((resolve, reject) => {
    child.stderr.on("data", (bytes: Buffer) => {
      said = `${said}${bytes.toString()}`.slice(-2_000);
      if (/database system is ready to accept (?:read-only )?connections/.test(said)) resolve();
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`postgres ended with ${code}: ${said}`)));
  });
}

/** SIGINT ends all connections and shuts down; SIGKILL is a crash. */
async function stop(signal: "SIGINT" | "SIGKILL"): Promise<void> {
  const child = server;
  server = undefined;
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => void child.once("exit", () => resolve()));
  child.kill(signal);
  await exited;
}

async function end(): Promise<void> {
  await stop("SIGINT");
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.exit();
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** A folder for temporary files that every user may enter: that of the system may be one user's own. */
function openFolder(): string {
  const isOpen = (path: string): boolean =>
    serverUser.uid === undefined ||
    ((statSync(path).mode & 0o1) !== 0 && (dirname(path) === path || isOpen(dirname(path))));
  const found = [tmpdir(), "/tmp", "/var/tmp"].find(isOpen);
  if (found === undefined) throw new Error(`no temporary folder that user ${serverUser.uid} may enter`);
  return found;
}
