import { existsSync } from "node:fs";
import { type Command, Option } from "commander";
import { RunError } from "../errors/llm-etl-error.ts";
import { addText } from "./arguments.ts";
import type { Delivery } from "./delivery.ts";
import type { PackageRunner } from "./package-runner.ts";
import type { StopSignal, Terminal } from "./terminal.ts";
import type { UnhandledErrors } from "./unhandled.ts";

/** The terminal of a command: its stdout is delivered to the last line, and of a process's events it has the signals. */
export type CommandTerminal = Omit<Terminal, "stdout" | "on" | "exitCode"> & {
  readonly stdout: Delivery;
  readonly on: (event: StopSignal, listener: () => void) => unknown;
  /** The npx, npm or the like that started the process. */
  readonly runner?: Pick<PackageRunner, "name" | "onEnd"> | undefined;
};

/** The surroundings of a command. */
export interface CommandContext {
  readonly terminal: CommandTerminal;
  /** Sets the exit code of the process. It is 0 by default, and 2 if the command throws. */
  readonly setExitCode: (code: number) => void;
  /** True if the stack of an error should be shown. */
  readonly isDebug: () => boolean;
  /** The errors that no code handles. */
  readonly unhandled: UnhandledErrors;
}

/** Makes a command: its arguments, options, examples and action. `program.ts` has its summary. */
export type MakeCommand = (name: string, context: CommandContext) => Command;

/** The names of a pipeline's module, if none is given: the first that exists is taken. */
const usualModules = ["pipeline.ts", "pipeline.js", "pipeline.mjs"];

/**
 * The pipeline's module: `path`, or the module with the usual name in the working directory.
 *
 * @throws {RunError} PIPELINE_MODULE_INVALID if there is neither
 */
export function moduleOr(path: string | undefined): string {
  const found = path ?? usualModules.find((name) => existsSync(name));
  if (found !== undefined) return found;
  const where = process.cwd();
  const hint = "name the module, or make a project with llm-etl init";
  throw new RunError("PIPELINE_MODULE_INVALID", `there is no pipeline.ts in ${where}`, { facts: { where, hint } });
}

/** Makes the option of commands that import a user's module. `program.ts` reads the files before the command starts. */
export function envFileOption(): Option {
  return new Option("--env-file <file>", "take environment variables from it (repeatable)").argParser(addText);
}
