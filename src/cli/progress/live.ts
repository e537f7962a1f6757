import { styleText } from "node:util";
import { createLogUpdate } from "log-update";
import stringWidth from "string-width";
import { formatCodes, formatCount, formatThings, inOneLine } from "../format.ts";
import type { Output } from "../terminal.ts";
import type { Progress } from "./base.ts";
import { costOf, rowsOf, timeoutsOf, unansweredOf } from "./lines.ts";
import { RunProgress, type Snapshot } from "./run-progress.ts";

const everyMs = 100;

/** Makes the progress for a terminal: an area that is drawn over, below the lines that stay. */
export function liveProgress(stderr: Output): Progress {
  const progress = new RunProgress();
  // The cursor stays visible: a killed run could not restore it.
  const area = createLogUpdate(toStream(stderr), { showCursor: true });
  const draw = (): void => area(render(progress.snapshot(), stderr));
  const timer = setInterval(draw, everyMs).unref();
  return {
    observe: (event) => progress.add(event),
    say: (line) => {
      area.clear();
      stderr.write(`${inOneLine(line)}\n`);
      draw();
    },
    end: () => {
      clearInterval(timer);
      area.clear();
    },
  };
}

/** Renders the lines of the area, each no wider than the terminal. */
export function render(snapshot: Snapshot, { columns = 80, hasColors }: Omit<Output, "write">): string {
  const width = columns - 1; // some terminals begin a new line after the last column
  const style = (format: Style, text: string): string => (hasColors?.() === true ? paint(format, text) : text);
  const { figures, callsInFlight, callLimit, waitsFor } = snapshot;
  const { usage, failuresByCode } = figures;
  const calls = [
    `calls ${formatCount(usage.calls)}`,
    `${callsInFlight} of ${callLimit} in flight`,
    formatThings(usage.reAsks, "re-ask"),
    ...(usage.reusedAnswers === 0 ? [] : [`${formatThings(usage.reusedAnswers, "answer")} reused`]),
  ];
  const tokens = [
    `tokens ${formatCount(usage.inputTokens)} in`,
    `${formatCount(usage.outputTokens)} out`,
    ...unansweredOf(usage),
    ...costOf(snapshot),
  ];
  const codes = formatCodes(failuresByCode);
  return [
    barOf(snapshot, width, style),
    fit(rowsOf(snapshot), width),
    fit(calls, width),
    fit(tokens, width),
    ...(codes === "" ? [] : [style("red", fit([`failed ${codes}`], width))]),
    ...timeoutsOf(usage).map((text) => style("yellow", fit([text], width))),
    ...(waitsFor === undefined ? [] : [style("yellow", fit([`waits ${waitsFor}`], width))]),
  ].join("\n");
}

type Style = "green" | "dim" | "red" | "yellow";

function paint(format: Style, text: string): string {
  return styleText(format, text, { validateStream: false }); // the caller has checked that there are colours
}

/** Renders a bar as wide as the terminal, at most 60 columns. Without a total, it only moves. */
function barOf(
  { doneCount, totalCount, figures }: Snapshot,
  width: number,
  style: (format: Style, text: string) => string,
): string {
  const length = Math.max(1, Math.min(60, width));
  if (totalCount === undefined) {
    const at = Math.floor(figures.durationMs / 200) % length;
    return `${style("dim", "─".repeat(at))}${style("green", "━")}${style("dim", "─".repeat(length - at - 1))}`;
  }
  const full = totalCount === 0 ? length : Math.min(length, Math.floor((length * doneCount) / totalCount));
  return `${style("green", "━".repeat(full))}${style("dim", "─".repeat(length - full))}`;
}

/** Joins as many parts as fit into the width. The first is cut if it does not fit alone. */
function fit(parts: readonly string[], width: number): string {
  let line = "";
  for (const part of parts.map(inOneLine)) {
    const longer = line === "" ? part : `${line} · ${part}`;
    if (stringWidth(longer) > width) return line === "" ? `${part.slice(0, Math.max(0, width - 1))}…` : line;
    line = longer;
  }
  return line;
}

/** Passes `stderr` to log-update, whose type wants a whole stream. */
function toStream(stderr: Output): NodeJS.WritableStream {
  return stderr as unknown as NodeJS.WritableStream; // it calls `write` and reads `columns`, `rows` and `isTTY`, no more
}
