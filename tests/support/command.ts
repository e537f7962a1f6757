import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { DatabaseSync } from "node:sqlite";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** How one process ended. */
export interface Ending {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line in a process of its own. */
export interface RunningCommand {
  readonly child: ChildProcess;
  /** Resolves when stderr has that in it; rejects if the process ends without. */
  readonly said: (pattern: RegExp) => Promise<void>;
  /** The same for stdout. */
  readonly printed: (pattern: RegExp) => Promise<void>;
  readonly ended: Promise<Ending>;
}

export function startCommand(words: readonly string[], env: Readonly<Record<string, string>> = {}): RunningCommand {
  const child = spawn(process.execPath, [main, ...words], { env: { ...process.env, ...env } });
  const written = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (written.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (written.stderr += text));
  const ended = once(child, "close").then(([exitCode, signal]: (number | NodeJS.Signals | null)[]): Ending => {
    return {
      exitCode: typeof exitCode === "number" ? exitCode : null,
      signal: typeof signal === "string" ? signal : null,
      ...written,
    };
  });
  const until = async (stream: "stdout" | "stderr", pattern: RegExp): Promise<void> => {
    while (!pattern.test(written[stream])) {
      const wasLast = await Promise.race([once(child[stream], "data").then(() => false), ended.then(() => true)]);
      if (wasLast && !pattern.test(written[stream])) throw new Error(`it never said ${pattern}: ${written.stderr}`);
    }
  };
  const said = async (pattern: RegExp): Promise<void> => await until("stderr", pattern);
  const printed = async (pattern: RegExp): Promise<void> => await until("stdout", pattern);
  return { child, said, printed, ended };
}

/** A folder for the fixture `journaled`, with its empty target. */
export function journaledFolder(parent: string): string {
  const folder = mkdtempSync(join(parent, "run "));
  const database = new DatabaseSync(join(folder, "target.db"));
  database.exec("CREATE TABLE notes (id TEXT PRIMARY KEY, kind TEXT, tone TEXT) STRICT");
  database.close();
  return folder;
}

/** What the fixture `journaled` has written. */
export function notesIn(folder: string): readonly Readonly<Record<string, unknown>>[] {
  const database = new DatabaseSync(join(folder, "target.db"), { readOnly: true });
  try {
    return database.prepare("SELECT * FROM notes ORDER BY id").all();
  } finally {
    database.close();
  }
}
