import { EventEmitter } from "node:events";
import { runCommandLine } from "../../src/cli/program.ts";
import type { MakeCommand } from "../../src/cli/command.ts";
import { Delivery } from "../../src/cli/delivery.ts";
import type { Output, Terminal } from "../../src/cli/terminal.ts";
import { UnhandledErrors } from "../../src/cli/unhandled.ts";

/** What one command line left behind. */
export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TestTerminalOptions {
  /** Take the place of the process for SIGINT and SIGTERM. */
  readonly signals?: EventEmitter;
  /** What stderr is, beside where text goes. */
  readonly screen?: Omit<Output, "write">;
  readonly env?: Readonly<Record<string, string>>;
  /** Sees what is written to stderr. */
  readonly onStderr?: (text: string) => void;
}

/** A terminal that keeps what is written to it. */
export interface TestTerminal extends Terminal {
  readonly written: { stdout: string; stderr: string };
}

export function testTerminal(options: TestTerminalOptions = {}): TestTerminal {
  const { signals = new EventEmitter(), screen = {}, env = {}, onStderr } = options;
  const written = { stdout: "", stderr: "" };
  return {
    written,
    stdout: {
      write: (text, done) => {
        written.stdout += text;
        done?.();
      },
    },
    stderr: {
      ...screen,
      write: (text) => {
        written.stderr += text;
        onStderr?.(text);
      },
    },
    stdin: {},
    env,
    loadEnvFile: (path) => process.loadEnvFile(path),
    on: (event, listener) => signals.on(event, listener),
    removeListener: (event, listener) => signals.removeListener(event, listener),
  };
}

/** Runs a command line in this process. `signals` takes the place of the process for SIGINT and SIGTERM. */
export async function commandLine(
  words: readonly string[],
  signals: EventEmitter = new EventEmitter(),
): Promise<Outcome> {
  const terminal = testTerminal({ signals });
  const exitCode = await runCommandLine(words, terminal);
  return { exitCode, ...terminal.written };
}

/** Runs one command without the program around it, which would print the command's error instead of throwing it. */
export async function runCommand(make: MakeCommand, words: readonly string[]): Promise<void> {
  const outer = testTerminal();
  const terminal = { ...outer, stdout: new Delivery(outer.stdout) };
  const unhandled = new UnhandledErrors(outer);
  const command = make("command", { terminal, setExitCode: () => {}, isDebug: () => false, unhandled });
  await command.exitOverride().parseAsync(words, { from: "user" });
}
