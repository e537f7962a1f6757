import { EventEmitter } from "node:events";
import { runCommandLine } from "../../src/cli/program.ts";
import type { Terminal } from "../../src/cli/terminal.ts";

/** What one command line left behind. */
export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process. `signals` takes the place of the process for SIGINT and SIGTERM. */
export async function commandLine(
  words: readonly string[],
  signals: EventEmitter = new EventEmitter(),
): Promise<Outcome> {
  const written = { stdout: "", stderr: "" };
  const terminal: Terminal = {
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { write: (text) => (written.stderr += text) },
    on: (event, listener) => signals.on(event, listener),
    removeListener: (event, listener) => signals.removeListener(event, listener),
  };
  const exitCode = await runCommandLine(words, terminal);
  return { exitCode, ...written };
}
