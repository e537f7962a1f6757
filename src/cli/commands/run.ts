import { existsSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { Command, InvalidArgumentError } from "commander";
import { LLMEtlError, RunError } from "../../core/exceptions.ts";
import { messageOf } from "../../core/thrown.ts";
import { absolutePath } from "../../core/paths.ts";
import type { RunnablePipeline } from "../../core/pipeline.ts";
import type { RunReport } from "../../core/report.ts";
import { placeOf } from "../stack.ts";
import { describeError, type Terminal } from "../terminal.ts";

interface RunCommandOptions {
  readonly limit?: number;
  readonly concurrency?: number;
  readonly param?: Readonly<Record<string, string>>;
}

/** `llm-etl run <pipeline.ts>`: runs the pipeline that a module exports as its default. */
export function runCommand(terminal: Terminal, setExitCode: (code: number) => void): Command {
  return new Command("run")
    .description("run the pipeline that a module exports as its default")
    .argument("<pipeline.ts>", "the module: TypeScript or JavaScript")
    .option("--limit <rows>", "read at most so many rows", wholeNumber)
    .option("--concurrency <rows>", "have so many rows in flight at once", wholeNumber)
    .option("--param <name=value>", "give the source's statement a value, as text (repeat for more)", addParameter)
    .addHelpText("after", "\nExample:\n  llm-etl run pipeline.ts --limit 100 --param department=Cardiology")
    .action(async (path: string, { limit, concurrency, param = {} }: RunCommandOptions, command: Command) => {
      const pipeline = await importPipeline(path);
      const stop = new AbortController();
      const onSignal = (): void => stop.abort();
      terminal.once("SIGINT", onSignal);
      terminal.once("SIGTERM", onSignal);
      try {
        const report = await pipeline.run({ limit, concurrency, parameters: param, signal: stop.signal });
        print(report, terminal, command.optsWithGlobals()["debug"] === true);
        setExitCode(report.exitCode);
      } finally {
        terminal.removeListener("SIGINT", onSignal);
        terminal.removeListener("SIGTERM", onSignal);
      }
    });
}

/** @throws {RunError} if there is no such module, it can't be imported, or its default export is no pipeline with a sink */
async function importPipeline(path: string): Promise<RunnablePipeline> {
  const absolute = absolutePath(path);
  if (!existsSync(absolute)) throw new RunError("PIPELINE_MODULE_INVALID", `there is no file ${absolute}`);
  let module: Readonly<Record<string, unknown>>;
  try {
    module = await import(pathToFileURL(absolute).href);
  } catch (error) {
    if (error instanceof LLMEtlError) throw error;
    const place = error instanceof Error ? placeOf(error) : undefined;
    const problem = `${path} can't be imported: ${messageOf(error)}${place === undefined ? "" : ` (${place})`}`;
    throw new RunError("PIPELINE_MODULE_INVALID", problem, { cause: error });
  }
  const pipeline = module["default"];
  if (isRunnable(pipeline)) return pipeline;
  const expected = "expected `export default new Pipeline({…}).step(…).to(sink)`";
  const got =
    pipeline === undefined
      ? "it has no default export"
      : typeof pipeline === "object" && pipeline !== null && "to" in pipeline
        ? "its pipeline has no sink: end it with .to(…)"
        : "its default export is not a pipeline";
  throw new RunError("PIPELINE_MODULE_INVALID", `${path}: ${got}; ${expected}`);
}

function isRunnable(value: unknown): value is RunnablePipeline {
  return typeof value === "object" && value !== null && "run" in value && typeof value.run === "function";
}

function print(report: RunReport, terminal: Terminal, withStack: boolean): void {
  for (const [code, count] of Object.entries(report.failuresByCode)) terminal.stderr.write(`  ${count} × ${code}\n`);
  if (report.skippedCount > 0) terminal.stderr.write(`Skipped: ${report.skippedCount}\n`);
  if (report.pendingCount > 0) terminal.stderr.write(`Pending: ${report.pendingCount}\n`);
  if (report.error !== null) {
    terminal.stderr.write(`${report.status}: ${describeError(report.error, withStack)}\n`);
  }
  terminal.stdout.write(`Processed: ${report.successCount}, Failed: ${report.failureCount}\n`);
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number from 1 up.");
}

function addParameter(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Expected name=value.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
