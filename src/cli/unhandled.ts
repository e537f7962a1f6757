import { type LLMEtlError, RunError } from "../errors/llm-etl-error.ts";
import { describeThrown, thrownBy, thrownDetail } from "../errors/thrown.ts";
import { inOneLine } from "./format.ts";
import type { Terminal } from "./terminal.ts";

/** Takes the error that ends a command; with `now`, there is nothing left to wait for. */
export type OnUnhandled = (error: RunError, now: boolean) => void;

/**
 * The one place for errors that no code handles: a rejection that nobody awaits, an exception in a timer. The first of them
 * ends what goes on, through its usual ending, and Node prints nothing of it.
 *
 * Before and after a run that is the command; during a run, the run, which reports. The same holds for a process with
 * nothing left to do (a promise that never settles), and the exit code for a process that other code ends.
 */
export class UnhandledErrors {
  readonly #terminal: Terminal;
  #first: RunError | undefined;
  #onFirst: OnUnhandled | undefined;
  #isPending = true;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    terminal.on("uncaughtException", (error) => this.#take(unhandledError(error, "thrown")));
    terminal.on("unhandledRejection", (reason) => this.#take(unhandledError(reason, "rejected")));
    terminal.on("beforeExit", () => this.#onDrained());
    terminal.on("exit", () => this.#onExit());
  }

  /** Hands the first error to `handler` as long as `work` goes on. */
  async during<Result>(handler: OnUnhandled, work: () => Promise<Result>): Promise<Result> {
    const before = this.#onFirst;
    this.#onFirst = handler;
    try {
      return await work();
    } finally {
      this.#onFirst = before;
    }
  }

  /** Does `work`; rejects as soon as an error is left unhandled, though the work goes on or may never end. */
  async orFirst<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#first !== undefined) throw this.#first;
    return await new Promise<Result>((resolve, reject) => {
      this.during(reject, work).then(resolve, reject);
    });
  }

  /** The run has ended with this error: what comes now is too late to stop it. */
  endRun(error: LLMEtlError | null): void {
    this.#isPending = false;
    if (this.#first !== undefined && error?.code !== this.#first.code) this.#sayLate(this.#first, true);
  }

  /** The command has ended with this exit code. Returns that of the process. */
  end(exitCode: number): number {
    this.#isPending = false;
    return this.#first === undefined || exitCode === 2 ? exitCode : 3;
  }

  #take(error: RunError, now = false): void {
    const isFirst = this.#first === undefined;
    this.#first ??= error;
    if (!this.#isPending) this.#sayLate(error, isFirst);
    else if (isFirst) this.#onFirst?.(error, now);
  }

  /** The work is done and reported, and yet not all was well. */
  #sayLate(error: RunError, isFirst: boolean): void {
    this.#terminal.exitCode = this.#terminal.exitCode === 2 ? 2 : 3;
    if (isFirst) this.#say(`llm-etl: after the end: ${error.message} [${error.code}]`);
  }

  #onDrained(): void {
    if (!this.#isPending) return;
    if (this.#first === undefined) return this.#take(neverSettles(), true);
    this.#isPending = false; // it was told, and nothing came of it: no timer and no connection is left
    this.#terminal.exitCode = 3;
    this.#say(`llm-etl: ${this.#first.message} [${this.#first.code}]`);
  }

  #onExit(): void {
    if (!this.#isPending) return;
    this.#terminal.exitCode = 3;
    this.#say("llm-etl: process.exit() was called before the command had ended: nothing more was written or reported");
  }

  #say(line: string): void {
    this.#terminal.stderr.write(`${inOneLine(line)}\n`);
  }
}

function unhandledError(error: unknown, way: "thrown" | "rejected"): RunError {
  const { thrown, place } = thrownBy(error);
  const problem =
    way === "thrown" ? "an exception was caught by no code" : "a promise was rejected, and nobody awaits it";
  const hint =
    way === "thrown" ? "catch it in the timer or listener that throws" : "await the promise, or catch its rejection";
  return new RunError("UNHANDLED_ERROR", `${problem}: ${describeThrown(error)}`, {
    cause: error,
    detail: `${problem}: ${thrownDetail(error)}`,
    facts: { thrown, place, hint },
  });
}

function neverSettles(): RunError {
  const problem = "the process has nothing left to do, and what it waits for has not come: a promise never settles";
  const hint = "look for one in a step, a source, a sink or a provider of your own";
  return new RunError("UNHANDLED_ERROR", problem, { facts: { hint } });
}
