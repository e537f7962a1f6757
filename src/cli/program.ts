import { readFile } from "node:fs/promises";
import { Command, CommanderError } from "commander";
import { replayCommand } from "./commands/replay.ts";
import { runCommand } from "./commands/run.ts";
import { runsCommand } from "./commands/runs.ts";
import { showCommand } from "./commands/show.ts";
import { simulateCommand } from "./commands/simulate.ts";
import { sqlCommand } from "./commands/sql.ts";
import { describeError, type Terminal } from "./terminal.ts";

/** Runs one command line and returns its exit code. Results go to stdout, all else to stderr. */
export async function runCommandLine(commandLine: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = 0;
  const setExitCode = (code: number): void => {
    exitCode = code;
  };
  const program = new Command("llm-etl")
    .description("Rows out of a database, through steps that ask a language model, into a database.")
    .version(await ownVersion())
    .option("--debug", "show the stack of an error")
    .addCommand(runCommand(terminal, setExitCode))
    .addCommand(replayCommand(terminal, setExitCode))
    .addCommand(runsCommand(terminal))
    .addCommand(showCommand(terminal))
    .addCommand(sqlCommand(terminal))
    .addCommand(simulateCommand(terminal));
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => terminal.stdout.write(text),
      writeErr: (text) => terminal.stderr.write(text),
    });
  }
  try {
    await program.parseAsync(commandLine, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // commander has said why
    terminal.stderr.write(`${describeError(error, program.opts()["debug"] === true)}\n`);
    return 2;
  }
  return exitCode;
}

async function ownVersion(): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
  const isManifest = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return isManifest ? String(manifest.version) : "unknown";
}
