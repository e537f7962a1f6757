import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const limitMs = 120_000;

/** How a process ended, and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** Starts the built command line in a process of its own, with no other environment than `env` and PATH. */
export function startRun(words: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Running {
  const child = spawn(process.execPath, [main, ...words], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: limitMs,
    // Node hands NODE_V8_COVERAGE on by itself; the coverage file of a process that is killed would be cut off.
    env: { PATH: process.env["PATH"], NODE_V8_COVERAGE: "", ...env },
  });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const ended = once(child, "exit").then(async ([code, signal]) => {
    const [stdout, stderr] = await output;
    return { code, signal, stdout, stderr };
  });
  return { child, ended };
}

/** The environment in which a pipeline asks a simulator. */
export function settingsOf({ url }: { readonly url: string }): Readonly<Record<string, string>> {
  return { AZURE_OPENAI_ENDPOINT: url, AZURE_OPENAI_API_KEY: "key", AZURE_OPENAI_DEPLOYMENT: "gpt-test" };
}

/** Waits; ends early, without an error, when the process is gone. */
export async function wait(milliseconds: number, gone: AbortSignal): Promise<void> {
  await setTimeout(milliseconds, undefined, { signal: gone }).catch(() => undefined);
}

/** Resolves when `holds` does, or the process is gone. */
export async function until(holds: () => boolean, gone: AbortSignal): Promise<void> {
  while (!holds() && !gone.aborted) await setTimeout(1);
}

/** The lines of a file that are not empty; none if there is no such file. */
export function linesOf(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "");
}

export function isJSON(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}

export function queryAll(path: string, sql: string): Record<string, unknown>[] {
  const database = new DatabaseSync(path);
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}
