import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A module that can be run; its argument and its result are JSON. */
export interface RunnableModule<Argument = never, Result = unknown> {
  readonly run: (argument: Argument) => Promise<Result>;
}

/** What a process says of itself. */
export interface ProcessFigures {
  /** From the first line of the module's `run` to its end. */
  readonly wallSeconds: number;
  /** User and system, in that time. */
  readonly cpuSeconds: number;
  /** User and system of the whole process, Node and the loading of modules included. */
  readonly wholeCpuSeconds: number;
  readonly peakMiB: number;
}

export interface ProcessOptions {
  /** Flags for Node. @default none */
  readonly flags?: readonly string[];
  /** Where to leave a CPU and an allocation profile, and the beginning of their names. @default no profile */
  readonly profile?: { readonly folder: string; readonly name: string } | undefined;
}

/** What the process is sent. */
export interface Assignment extends Pick<ProcessOptions, "profile"> {
  readonly module: string;
  readonly argument: unknown;
}

export interface Answer<Result> {
  readonly result: Result;
  readonly figures: ProcessFigures;
}

/**
 * Runs a module in a process of its own.
 *
 * @example await inOwnProcess<typeof filesModule>(new URL("../alone/files.ts", import.meta.url), job)
 */
export async function inOwnProcess<Module extends RunnableModule>(
  module: URL,
  argument: Parameters<Module["run"]>[0],
  { flags = [], profile }: ProcessOptions = {},
): Promise<Answer<Awaited<ReturnType<Module["run"]>>>> {
  const script = fileURLToPath(new URL("module-process.ts", import.meta.url));
  // Tests may measure their coverage: what is measured here is not to be slowed down by it.
  const { NODE_V8_COVERAGE: _, ...env } = process.env;
  const child = fork(script, [], { execArgv: [...flags], env, stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const assignment: Assignment = { module: module.href, argument, profile };
  child.send(assignment);
  let answer: Answer<Awaited<ReturnType<Module["run"]>>> | undefined;
  child.once("message", (message) => {
    answer = message as typeof answer; // sent by module-process.ts
  });
  const [code, signal]: unknown[] = await once(child, "exit");
  if (answer === undefined || code !== 0) throw new Error(`${module.pathname} ended with ${code ?? signal}`);
  return answer;
}
