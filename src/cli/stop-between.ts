import { RunError } from "../errors/llm-etl-error.ts";
import type { CommandTerminal } from "./command.ts";
import type { StopSignal } from "./terminal.ts";

const signals: readonly StopSignal[] = ["SIGINT", "SIGTERM"];

/** Does work that a first SIGINT or SIGTERM stops between two transactions. A second one ends the process, as without a listener. */
export async function stoppable<Result>(
  terminal: CommandTerminal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const stop = new AbortController();
  const listeners = signals.map((name) => [name, (): void => stopFor(name)] as const);
  const release = (): void => {
    for (const [name, listener] of listeners) terminal.removeListener(name, listener);
  };
  const stopFor = (name: StopSignal): void => {
    release();
    terminal.stderr.write(`${name}: stopping. What is done is done; run the same command again for the rest.\n`);
    stop.abort(new RunError("ABORTED", `${name} stopped it`, { facts: { signal: name } }));
  };
  for (const [name, listener] of listeners) terminal.on(name, listener);
  try {
    return await work(stop.signal);
  } finally {
    release();
  }
}
