/** What every tool under measurement is given, and does: read all rows, ask both questions about each, write the results. */
import type { Questions } from "../workload/task.ts";

export interface Job {
  /** The simulator's. */
  readonly endpoint: string;
  readonly deployment: string;
  /** A CSV file of notes. */
  readonly input: string;
  /** The CSV file to write. */
  readonly output: string;
  /** An empty folder, for whatever else the tool writes. */
  readonly folder: string;
  /** Rows in flight. */
  readonly concurrency: number;
  readonly questions: Questions;
  /** What llm-etl alone has. */
  readonly pipeline: { readonly records: boolean; readonly rpm?: number | undefined };
}

export interface Outcome {
  /** Rows that the tool itself says it could not do. */
  readonly failed: number;
  /** By their messages, a few of them. */
  readonly errors: readonly string[];
}

export interface ToolModule {
  readonly run: (job: Job) => Promise<Outcome>;
}

/** How often the tools try a call again that met a 5xx or a reset (the SDKs: or a 429): as often as llm-etl does by default. */
export const maxTransportRetries = 5;

/** Counts rows that failed, as a user's script would log them. */
export class Failures {
  readonly #messages = new Map<string, number>();
  #count = 0;

  add(error: unknown): void {
    this.#count += 1;
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const short = message.slice(0, 120);
    if (this.#messages.has(short) || this.#messages.size < 5)
      this.#messages.set(short, (this.#messages.get(short) ?? 0) + 1);
  }

  outcome(): Outcome {
    return { failed: this.#count, errors: Array.from(this.#messages, ([message, count]) => `${count} × ${message}`) };
  }
}
