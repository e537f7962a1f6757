import { type Command, Option } from "commander";
import type { RunEvent } from "../contracts/events.ts";
import { LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import type { RunReport } from "../contracts/report.ts";
import { messageOf } from "../errors/error-text.ts";
import { inOneLine, shortId } from "./format.ts";
import { type Failure, FirstFailures } from "./first-failures.ts";
import type { Progress } from "./progress/base.ts";
import { eventsProgress, toLine } from "./progress/events.ts";
import { linesProgress } from "./progress/lines.ts";
import { stopSignals } from "./signals.ts";
import { isWatched, type Terminal } from "./terminal.ts";

/** The options that decide how a run is shown. */
export interface WatchOptions {
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** The options of a run that let it be watched and stopped. */
export interface Watch {
  readonly onEvent: (event: RunEvent) => void;
  readonly signal: AbortSignal;
  readonly stopNowSignal: AbortSignal;
}

/** Gives a command the options of {@link WatchOptions}. */
export function addWatchOptions(command: Command): Command {
  return command
    .option("--quiet", "show only the result and what went wrong")
    .addOption(new Option("--json", "print each event as a line of JSON (docs/events.md)").conflicts("quiet"));
}

/** A run that has ended, with facts from its events. */
export interface Watched<Report extends RunReport = RunReport> {
  readonly report: Report;
  /** The first row of each error code. */
  readonly failures: ReadonlyMap<string, Failure>;
  /** The file with the failed rows; null if the run saves none. */
  readonly deadLetterPath: string | null;
}

/** Shows a run while it goes on, and stops it on a signal. */
export async function watch<Report extends RunReport>(
  terminal: Terminal,
  options: WatchOptions,
  run: (watch: Watch) => Promise<Report>,
): Promise<Watched<Report>> {
  const progress = await progressFor(terminal, options);
  const failures = new FirstFailures();
  let deadLetterPath: string | null = null;
  const { signal, stopNowSignal, release } = stopSignals(terminal, progress.say);
  const onEvent = (event: RunEvent): void => {
    failures.add(event);
    if (event.type === "run-start") {
      deadLetterPath = event.deadLetterPath;
      if (options.quiet !== true && options.json !== true) progress.say(wayOf(event));
    }
    progress.observe(event);
  };
  try {
    const report = await orAborted(terminal, options, async () => await run({ onEvent, signal, stopNowSignal }));
    return { report, failures: failures.byCode, deadLetterPath };
  } finally {
    release();
    progress.end();
  }
}

/** Does `work`, which comes before a run. If it throws, the run never starts: with `json`, an event says so to programs. */
export async function orAborted<Result>(
  { stdout }: Pick<Terminal, "stdout">,
  { json = false }: WatchOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (json) stdout.write(toLine({ type: "run-refused", error: asLLMEtlError(error) }));
    throw error;
  }
}

/** The line about a run at its start: its pipeline and its parts, from the source through the steps to the sink. */
function wayOf({ pipeline, runId, source, steps, sink }: Extract<RunEvent, { readonly type: "run-start" }>): string {
  return `${pipeline}, run ${shortId(runId)}: ${[source, ...steps, sink].join(" → ")}`;
}

async function progressFor(terminal: Terminal, { quiet = false, json = false }: WatchOptions): Promise<Progress> {
  if (json) return eventsProgress(terminal);
  if (quiet)
    return { observe: () => {}, say: (line) => void terminal.stderr.write(`${inOneLine(line)}\n`), end: () => {} };
  if (!isWatched(terminal)) return linesProgress(terminal.stderr);
  const { liveProgress } = await import("./progress/live.ts"); // its package takes longer to load than everything else
  return liveProgress(terminal.stderr);
}

function asLLMEtlError(error: unknown): LLMEtlError {
  return error instanceof LLMEtlError ? error : new RunError("INTERNAL_ERROR", messageOf(error), { cause: error });
}
