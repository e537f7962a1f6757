import { existsSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";
import { messageOf } from "../errors/error-text.ts";
import { ownVersion } from "../files/own-version.ts";
import type { CommandContext, CommandTerminal, MakeCommand } from "./command.ts";
import { Delivery } from "./delivery.ts";
import { formatThings } from "./format.ts";
import { PackageRunner } from "./package-runner.ts";
import { describeError, type Terminal } from "./terminal.ts";
import { wholeTexts } from "./whole-texts.ts";
import { UnhandledErrors } from "./unhandled.ts";

/** The commands. Each is loaded when it is called. */
const commands: Readonly<Record<string, { readonly summary: string; readonly load: () => Promise<MakeCommand> }>> = {
  init: {
    summary: "make a project that runs: pipeline, sample data, settings",
    load: async () => (await import("./commands/init.ts")).initCommand,
  },
  run: {
    summary: "run a pipeline; options given here win over its module's",
    load: async () => (await import("./commands/run.ts")).runCommand,
  },
  check: {
    summary: "check everything that a run needs before its first call",
    load: async () => (await import("./commands/check.ts")).checkCommand,
  },
  plan: {
    summary: "say what a run would cost, and ask a sample for that",
    load: async () => (await import("./commands/plan.ts")).planCommand,
  },
  preview: {
    summary: "show a few rows as a run would write them",
    load: async () => (await import("./commands/preview.ts")).previewCommand,
  },
  replay: {
    summary: "run the rows of a dead letter file again",
    load: async () => (await import("./commands/replay.ts")).replayCommand,
  },
  runs: {
    summary: "list the runs of pipelines, the newest first",
    load: async () => (await import("./commands/runs.ts")).runsCommand,
  },
  show: {
    summary: "show what one run did, and whether it can be resumed",
    load: async () => (await import("./commands/show.ts")).showCommand,
  },
  journal: {
    summary: "show what a journal holds, remove what is old, copy it",
    load: async () => (await import("./commands/journal.ts")).journalCommand,
  },
  batches: {
    summary: "list what is in batches of a Batch API, or cancel it",
    load: async () => (await import("./commands/batches.ts")).batchesCommand,
  },
  sql: {
    summary: "print the SQL for a pipeline, without running it",
    load: async () => (await import("./commands/sql.ts")).sqlCommand,
  },
  simulate: {
    summary: "run a simulated Azure OpenAI on this machine, until Ctrl-C",
    load: async () => (await import("./commands/simulate.ts")).simulateCommand,
  },
};

// Of the 24 lines of a terminal none is left for a blank one.
const help = `Exit code: 0 all rows fine, 1 some failed, 2 no start, 3 stopped: run again.
Example: llm-etl init my-project`;

/** Runs one command line and returns its exit code. Results go to stdout, everything else to stderr. */
export async function runCommandLine(commandLine: readonly string[], outer: Terminal): Promise<number> {
  const stdout = new Delivery(wholeTexts(outer.stdout));
  const terminal: CommandTerminal = {
    stdout,
    stderr: outer.stderr,
    stdin: outer.stdin,
    env: outer.env,
    loadEnvFile: (path) => outer.loadEnvFile(path),
    runner: outer.processes === undefined ? undefined : PackageRunner.find(outer.env, outer.processes),
    on: (event, listener) => outer.on(event, listener),
    removeListener: (event, listener) => outer.removeListener(event, listener),
  };
  const exitCode = await runProgram(commandLine, terminal, new UnhandledErrors(outer));
  await stdout.delivered();
  if (stdout.lostCount === 0) return exitCode;
  outer.stderr.write(`llm-etl: ${formatThings(stdout.lostCount, "event")} were not delivered: nobody read stdout.\n`);
  return 3;
}

async function runProgram(
  commandLine: readonly string[],
  terminal: CommandTerminal,
  unhandled: UnhandledErrors,
): Promise<number> {
  let exitCode = 0;
  let isDebug = false;
  const context: CommandContext = {
    terminal,
    setExitCode: (code) => {
      exitCode = code;
    },
    isDebug: () => isDebug,
    unhandled,
  };
  const program = new Command("llm-etl")
    .description("Rows out of a database, through steps that ask a model, into a database.")
    .version(ownVersion())
    .option("--debug", "show the stack of an error")
    .addHelpOption(new Option("-h, --help").hideHelp()) // whoever reads it knows it
    .addHelpText("after", help)
    .hook("preAction", (_, command) => {
      const { debug, envFile } = command.optsWithGlobals<{ debug?: boolean; envFile?: readonly string[] }>();
      isDebug = debug === true;
      for (const path of envFile ?? []) loadEnvFile(terminal, command.name(), path);
    });
  const [first, second] = commandLine.filter((word) => !word.startsWith("-"));
  const called = first === "help" ? second : first;
  try {
    for (const [name, { summary, load }] of Object.entries(commands)) {
      const command = name === called ? (await load())(name, context) : new Command(name);
      program.addCommand(command.description(summary));
    }
    for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands: own }) => own)]) {
      if (command !== program) command.option("--debug", "show the stack of an error");
      command.exitOverride().configureOutput({
        writeOut: (text) => terminal.stdout.write(text),
        writeErr: (text) => terminal.stderr.write(text),
        getErrHelpWidth: () => terminal.stderr.columns ?? 80,
        getOutHelpWidth: () => terminal.stdout.columns ?? 80,
      });
    }
    await unhandled.orFirst(async () => await program.parseAsync(commandLine, { from: "user" }));
  } catch (error) {
    if (error instanceof CommanderError) {
      const isModule = first !== undefined && /\.[cm]?[jt]s$/.test(first) && existsSync(first);
      if (isModule) terminal.stderr.write(`(Did you mean llm-etl run ${first}?)\n`);
      return unhandled.end(error.exitCode === 0 ? 0 : 2); // commander has printed the reason
    }
    terminal.stderr.write(`${describeError(error, isDebug)}\n`);
    // A run that a signal stopped before its first row is to be run again, as one that was stopped after it.
    return unhandled.end(error instanceof LLMEtlError && error.code === "ABORTED" ? 3 : 2);
  }
  return unhandled.end(exitCode);
}

/** Adds the variables of a file to the environment. @throws {OptionError} if the file can't be read */
function loadEnvFile(terminal: CommandTerminal, command: string, path: string): void {
  try {
    terminal.loadEnvFile(path);
  } catch (error) {
    throw new OptionError(command, "--env-file", `${path} can't be read (${messageOf(error)})`, { path });
  }
}
