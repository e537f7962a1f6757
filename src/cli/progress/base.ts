import type { RunEvent } from "../../contracts/events.ts";

/** Shows how a run goes on. */
export interface Progress {
  readonly observe: (event: RunEvent) => void;
  /** Says something that stays. */
  readonly say: (line: string) => void;
  /** Takes back what was only for the moment. Called once, when the run has ended. */
  readonly end: () => void;
}
