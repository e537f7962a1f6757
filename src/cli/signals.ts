import { RunError } from "../core/exceptions.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Signals within so many milliseconds are one. Where npm and npx have bash for a shell (with dash not), a Ctrl-C comes
 * twice, from the terminal and from npm: measured, up to 28 ms apart.
 */
export const sameSignalMs = 100;

export interface StopSignals {
  /** Aborted by the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /** Aborted by the second. A third ends the process as if nobody listened. */
  readonly stopNowSignal: AbortSignal;
  /** Stops listening. */
  readonly release: () => void;
}

/** Listens for SIGINT and SIGTERM, and says on stderr what each does. */
export function stopSignals(terminal: Terminal): StopSignals {
  const stop = new AbortController();
  const stopNow = new AbortController();
  let lastMs = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  const onSignal = (name: "SIGINT" | "SIGTERM"): void => {
    const sinceMs = performance.now() - lastMs;
    if (sinceMs < sameSignalMs || stopNow.signal.aborted) return;
    lastMs = performance.now();
    if (stop.signal.aborted) {
      terminal.stderr.write(`${name}: stopping at once.\n`);
      stopNow.abort();
      timer = setTimeout(release, sameSignalMs).unref();
    } else {
      const advice = name === "SIGINT" ? "press Ctrl-C again" : "send it again";
      terminal.stderr.write(`${name}: stopping. Rows in flight have up to 30 s; ${advice} to stop at once.\n`);
      stop.abort(new RunError("ABORTED", `${name} stopped the run`));
    }
  };
  const onSIGINT = (): void => onSignal("SIGINT");
  const onSIGTERM = (): void => onSignal("SIGTERM");
  const release = (): void => {
    clearTimeout(timer);
    terminal.removeListener("SIGINT", onSIGINT);
    terminal.removeListener("SIGTERM", onSIGTERM);
  };
  terminal.on("SIGINT", onSIGINT);
  terminal.on("SIGTERM", onSIGTERM);
  return { signal: stop.signal, stopNowSignal: stopNow.signal, release };
}
