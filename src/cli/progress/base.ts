import type { RunEvent } from "../../contracts/events.ts";

/** Shows the progress of a run. */
export interface Progress {
  /** May return a promise: whoever reads is behind, and the run waits for it. */
  readonly observe: (event: RunEvent) => void | Promise<void>;
  /** Prints a line that stays. */
  readonly say: (line: string) => void;
  /** Removes everything that does not stay. Called once, after the run has ended. */
  readonly end: () => void;
}
