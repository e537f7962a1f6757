import { fileURLToPath } from "node:url";
import { LLMEtlError } from "../errors/llm-etl-error.ts";

/** The stacks of an error and of its causes, outermost first, each cause with its name and code. */
export function stacksOf(error: Error): string {
  const seen = new Set<unknown>();
  const parts: string[] = [];
  for (let next: unknown = error; next instanceof Error && !seen.has(next); next = next.cause) {
    seen.add(next);
    const { location: place, frames } = partsOf(next);
    const intro =
      parts.length === 0 ? [] : [`caused by ${headOf(next)}${place === undefined ? "" : ` at ${pathIn(place)}`}`];
    parts.push([...intro, ...frames].join("\n"));
  }
  return parts.filter((part) => part !== "").join("\n");
}

/** The place of an error in the user's files, `path:line`; undefined if its stack names only our files and packages. */
export function placeOf(error: Error): string | undefined {
  const { location, frames } = partsOf(error);
  if (location !== undefined) return pathIn(location);
  const own = new URL("../", import.meta.url).href;
  const theirs = frames.find((frame) => {
    return frame.includes("file://") && !frame.includes("/node_modules/") && !frame.includes(own);
  });
  const [, place] = /(file:.*:\d+):\d+\)?$/.exec(theirs ?? "") ?? [];
  return place === undefined ? undefined : pathIn(place);
}

/** The name, code and message of an error. Messages of other errors than ours may hold content, and are left out. */
function headOf(error: Error): string {
  const code = "code" in error && typeof error.code === "string" ? ` [${error.code}]` : "";
  return error instanceof LLMEtlError ? `${error.name}${code}: ${error.message}` : `${error.name}${code}`;
}

interface StackParts {
  /** `file:line` of source text that could not be parsed: Node puts it before the error's name. */
  readonly location: string | undefined;
  readonly frames: readonly string[];
}

const frame = /^ {4}at .*(?::\d+:\d+|<anonymous>|native|index \d+)\)?$/;
const location = /^(?:file:\/\/|\/|[A-Z]:\\).*:\d+$/;

/** Parses a stack. The error's message is left out: it may hold content, and may look like frames. */
function partsOf(error: Error): StackParts {
  const stack = typeof error.stack === "string" ? error.stack : "";
  const [first = ""] = stack.split("\n", 1);
  const words = stack.indexOf(error.message);
  const behind = words === -1 ? stack : stack.slice(words + error.message.length);
  const frames = behind.split("\n").filter((line) => frame.test(line));
  return { location: location.test(first) ? first : undefined, frames };
}

function pathIn(place: string): string {
  const [, file = place, line = ""] = /^(.*):(\d+)$/.exec(place) ?? [];
  return `${file.startsWith("file:") ? fileURLToPath(file) : file}:${line}`;
}
