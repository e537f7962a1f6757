import type { RunEvent } from "../../contracts/events.ts";
import type { LLMEtlError } from "../../errors/llm-etl-error.ts";
import type { ReplayReport } from "../../contracts/report.ts";
import { inOneLine } from "../format.ts";
import type { Terminal } from "../terminal.ts";
import type { Progress } from "./base.ts";

/** For programs: each event as a line of JSON on stdout, with the time. See docs/events.md. */
export function eventsProgress({ stdout, stderr }: Pick<Terminal, "stdout" | "stderr">): Progress {
  return {
    observe: (event) => void stdout.write(toLine(event)),
    say: (line) => void stderr.write(`${inOneLine(line)}\n`),
    end: () => {},
  };
}

/** What the command line adds to a run's events. */
export type CommandEvent =
  | { readonly type: "run-refused"; readonly error: LLMEtlError }
  | { readonly type: "replay-end"; readonly report: ReplayReport };

/** An event as a line. Dates are ISO 8601; an error is its name, code, scope and message. */
export function toLine(event: RunEvent | CommandEvent): string {
  return `${JSON.stringify({ time: new Date(), ...event })}\n`;
}
