import { existsSync } from "node:fs";
import { type Command, Option } from "commander";
import { RunError } from "../errors/llm-etl-error.ts";
import { addText } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";

/** What a command is given. */
export interface CommandContext {
  readonly terminal: Terminal;
  /** The process's exit code, if it is not 0; what a command throws gives 2. */
  readonly setExitCode: (code: number) => void;
  /** Whether the stack of an error is to be shown. */
  readonly isDebug: () => boolean;
}

/** Makes a command: its arguments, options, examples and action. Its summary stands in `program.ts`. */
export type MakeCommand = (name: string, context: CommandContext) => Command;

/** The pipeline's module, where none is named: the first of these that is there. */
const usualModules = ["pipeline.ts", "pipeline.js", "pipeline.mjs"];

/** @throws {RunError} if none is named and the working directory has none of the usual name */
export function moduleOr(path: string | undefined): string {
  const found = path ?? usualModules.find((name) => existsSync(name));
  if (found !== undefined) return found;
  const advice = "name the module, or make a project with llm-etl init";
  throw new RunError("PIPELINE_MODULE_INVALID", `there is no pipeline.ts in ${process.cwd()}: ${advice}`);
}

/** For commands that import a user's module: `program.ts` reads the files before the command does anything. */
export function envFileOption(): Option {
  return new Option("--env-file <file>", "take environment variables from it (repeatable)").argParser(addText);
}
