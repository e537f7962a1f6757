import type { RunEvent } from "../../contracts/events.ts";
import type { LLMEtlError } from "../../errors/llm-etl-error.ts";
import type { ReplayReport } from "../../contracts/report.ts";
import { inOneLine } from "../format.ts";
import type { Delivery } from "../delivery.ts";
import type { Output } from "../terminal.ts";
import type { Progress } from "./base.ts";

/** Makes the progress for programs: each event is a line of JSON on stdout, with the time. See docs/events.md. */
export function eventsProgress(stdout: Delivery, stderr: Output): Progress {
  return {
    observe: (event) => {
      stdout.write(toLine(event));
      return stdout.room();
    },
    say: (line) => void stderr.write(`${inOneLine(line)}\n`),
    end: () => {},
  };
}

/** The events that the command line adds to those of a run. */
export type CommandEvent =
  | { readonly type: "run-refused"; readonly error: LLMEtlError }
  | { readonly type: "replay-end"; readonly report: ReplayReport };

/** Formats an event as a line of JSON. Dates are ISO 8601; an error is its name, code, scope, message and facts. */
export function toLine(event: RunEvent | CommandEvent): string {
  return `${JSON.stringify({ time: new Date(), ...event })}\n`;
}
