import { defaultGracePeriodMs, endingMs } from "../engine/ending.ts";
import { RunError } from "../errors/llm-etl-error.ts";
import type { CommandTerminal } from "./command.ts";
import type { StopSignal } from "./terminal.ts";

/**
 * Signals within this time (in milliseconds) count as one. If npm and npx use bash as their shell (not with dash), a Ctrl-C
 * arrives twice, from the terminal and from npm: up to 28 ms apart, as measured.
 */
export const sameSignalMs = 100;

const graceSeconds = defaultGracePeriodMs / 1000;

export interface StopSignals {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Aborted by the second. A third one ends the process, as without a listener. */
  readonly stopNowSignal: AbortSignal;
  /** How long the run's events may wait for their reader: for ever, but for a signal and for the end of npx. An error is none. */
  readonly delivery: {
    readonly signal: AbortSignal;
    readonly stopNowSignal: AbortSignal;
    /** The rest of the time that a stopped run and its events have, in milliseconds. */
    readonly leftMs: () => number;
  };
  /** Stops as the first signal does, for another reason. */
  readonly stop: (error: RunError) => void;
  /** Stops at once, as the second signal does. */
  readonly stopNow: () => void;
  /** Stops listening. */
  readonly release: () => void;
}

/**
 * Listens for SIGINT and SIGTERM, and says what each does; the end of the npx or npm that started the process is as a first signal.
 * It does not listen for SIGHUP: nohup no longer protects a process
 * that does.
 */
export function stopSignals(
  terminal: Pick<CommandTerminal, "on" | "removeListener" | "runner">,
  say: (line: string) => void,
): StopSignals {
  const stop = new AbortController();
  const stopNow = new AbortController();
  /** Aborted by what came from outside alone. */
  const signalled = new AbortController();
  const signalledAgain = new AbortController();
  let lastMs = -Infinity;
  let signalledMs: number | undefined;
  signalled.signal.addEventListener("abort", () => {
    signalledMs = performance.now();
  });
  let timer: NodeJS.Timeout | undefined;
  const onSignal = (name: StopSignal): void => {
    const sinceMs = performance.now() - lastMs;
    if (sinceMs < sameSignalMs || signalledAgain.signal.aborted) return;
    lastMs = performance.now();
    if (stop.signal.aborted) {
      say(`${name}: stopping at once.`);
      signalledAgain.abort();
      stopNow.abort();
      timer = setTimeout(release, sameSignalMs).unref();
    } else {
      const advice = name === "SIGINT" ? "press Ctrl-C again" : "send it again";
      say(`${name}: stopping. Rows in flight have up to ${graceSeconds} s; ${advice} to stop at once.`);
      signalled.abort();
      stop.abort(new RunError("ABORTED", `${name} stopped the run`, { facts: { signal: name } }));
    }
  };
  const onSIGINT = (): void => onSignal("SIGINT");
  const onSIGTERM = (): void => onSignal("SIGTERM");
  const { runner } = terminal;
  const unwatch = runner?.onEnd(() => {
    signalled.abort();
    if (stop.signal.aborted) return; // a Ctrl-C has reached both
    say(
      `${runner.name} has ended: stopping. Rows in flight have up to ${graceSeconds} s; SIGTERM to ${process.pid} stops at once.`,
    );
    stop.abort(
      new RunError("ABORTED", `${runner.name} had started the run, and has ended`, { facts: { runner: runner.name } }),
    );
  });
  const release = (): void => {
    clearTimeout(timer);
    unwatch?.();
    terminal.removeListener("SIGINT", onSIGINT);
    terminal.removeListener("SIGTERM", onSIGTERM);
  };
  terminal.on("SIGINT", onSIGINT);
  terminal.on("SIGTERM", onSIGTERM);
  return {
    signal: stop.signal,
    stopNowSignal: stopNow.signal,
    delivery: {
      signal: signalled.signal,
      stopNowSignal: signalledAgain.signal,
      leftMs: () => defaultGracePeriodMs + endingMs - (performance.now() - (signalledMs ?? performance.now())),
    },
    stop: (error) => stop.abort(error),
    stopNow: () => stopNow.abort(),
    release,
  };
}
