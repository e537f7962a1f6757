import { type Command, Option } from "commander";
import type { RunEvent } from "../contracts/events.ts";
import type { RunReport } from "../contracts/report.ts";
import { defaultGracePeriodMs } from "../engine/ending.ts";
import { type RestOfRun, RestProjection } from "../pipeline/rest-of-run.ts";
import { asLLMEtlError } from "../errors/thrown.ts";
import { inOneLine, shortId } from "./format.ts";
import { type Failure, FirstFailures } from "./first-failures.ts";
import type { Progress } from "./progress/base.ts";
import { eventsProgress, toLine } from "./progress/events.ts";
import { linesProgress } from "./progress/lines.ts";
import type { CommandContext, CommandTerminal } from "./command.ts";
import { awaitDelivery } from "./await-delivery.ts";
import { CallsInFlight } from "./calls-in-flight.ts";
import { stopSignals } from "./signals.ts";
import { isWatched } from "./terminal.ts";
import type { OnUnhandled } from "./unhandled.ts";

/** The options that decide how a run is shown. */
export interface WatchOptions {
  readonly quiet?: boolean;
  readonly json?: boolean;
}

/** The options of a run that let it be watched and stopped. */
export interface Watch {
  readonly onEvent: (event: RunEvent) => void | Promise<void>;
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
  /** The rest of the run; undefined if the source has not counted its rows. */
  readonly rest?: RestOfRun | undefined;
}

/** Shows a run while it goes on, and stops it on a signal. */
export async function watch<Report extends RunReport>(
  { terminal, unhandled }: Pick<CommandContext, "terminal" | "unhandled">,
  options: WatchOptions,
  run: (watch: Watch) => Promise<Report>,
): Promise<Watched<Report>> {
  const progress = await progressFor(terminal, options);
  const failures = new FirstFailures();
  let deadLetterPath: string | null = null;
  const projection = new RestProjection();
  const stops = stopSignals(terminal, progress.say);
  const { signal, stopNowSignal, stop, stopNow, release } = stops;
  const calls = new CallsInFlight();
  const onUnhandled: OnUnhandled = (error, now) => {
    progress.say(`${error.message}. Stopping; calls in flight have up to ${defaultGracePeriodMs / 1000} s.`);
    stop(error);
    // The row whose code failed may never end: there is nothing to wait for but the answers that are paid for.
    if (now) stopNow();
    else calls.onQuiet(stopNow);
  };
  const onEvent: Watch["onEvent"] = (event) => {
    calls.observe(event);
    failures.add(event);
    projection.add(event);
    if (event.type === "run-start") {
      deadLetterPath = event.deadLetterPath;
      if (options.quiet !== true && options.json !== true) progress.say(wayOf(event));
    }
    return progress.observe(event);
  };
  try {
    const work = async (): Promise<Report> => await run({ onEvent, signal, stopNowSignal });
    const report = await orAborted({ terminal, unhandled }, options, async () => {
      return await unhandled.during(onUnhandled, work);
    });
    progress.end();
    unhandled.endRun(report.error);
    await awaitDelivery(terminal.stdout, stops.delivery);
    return { report, failures: failures.byCode, deadLetterPath, rest: projection.rest };
  } catch (error) {
    progress.end();
    throw error;
  } finally {
    calls.end();
    release();
  }
}

/** Does `work`, which comes before a run. If it throws, the run never starts: with `json`, an event says so to programs. */
export async function orAborted<Result>(
  { terminal, unhandled }: Pick<CommandContext, "terminal" | "unhandled">,
  { json = false }: WatchOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await unhandled.orFirst(work);
  } catch (error) {
    if (json) terminal.stdout.write(toLine({ type: "run-refused", error: asLLMEtlError(error) }));
    throw error;
  }
}

/** The line about a run at its start: its pipeline and its parts, from the source through the steps to the sink. */
function wayOf({
  pipeline,
  runId,
  source,
  steps,
  sink,
  sinks = [sink],
}: Extract<RunEvent, { readonly type: "run-start" }>): string {
  return `${pipeline}, run ${shortId(runId)}: ${[source, ...steps, sinks.join(", ")].join(" → ")}`;
}

async function progressFor(
  terminal: CommandTerminal,
  { quiet = false, json = false }: WatchOptions,
): Promise<Progress> {
  if (json) return eventsProgress(terminal.stdout, terminal.stderr);
  if (quiet)
    return { observe: () => {}, say: (line) => void terminal.stderr.write(`${inOneLine(line)}\n`), end: () => {} };
  if (!isWatched(terminal)) return linesProgress(terminal.stderr);
  const { liveProgress } = await import("./progress/live.ts"); // its package takes longer to load than everything else
  return liveProgress(terminal.stderr);
}
