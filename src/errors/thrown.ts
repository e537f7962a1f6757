import { fileURLToPath } from "node:url";
import { FileError } from "../files/file-error.ts";
import { fromHere } from "../files/paths.ts";
import { type ErrorOptions, LLMEtlError, RunError } from "./llm-etl-error.ts";
import { classOf, codeOf, nameOf, textOf, withoutSecrets } from "./error-text.ts";

/** The thing that code of the user's threw, as far as it holds no content: its message may quote a row, and is left out. */
export interface Thrown {
  /** The error's class; `a string`, `an object` for what is no error. */
  readonly thrown: string;
  /** The line that threw, as `pipeline.ts:31`; undefined if the stack names none of the user's. */
  readonly place: string | undefined;
}

/** Tells the class of anything thrown, and its line in the user's files. */
export function thrownBy(error: unknown): Thrown {
  try {
    const place = error instanceof Error ? placeOf(error) : undefined;
    return {
      thrown: error instanceof Error ? classOf(error) : nameOf(error),
      place: place === undefined ? undefined : fromHere(place),
    };
  } catch {
    return { thrown: "an object", place: undefined }; // a Proxy or a getter that throws
  }
}

/** The same as words: `TypeError at pipeline.ts:31`, `Error [ENOENT]`, `a string`. */
export function describeThrown(error: unknown): string {
  const { place } = thrownBy(error);
  return `${kindOf(error)}${place === undefined ? "" : ` at ${place}`}`;
}

/** The class of anything thrown, with the code that Node or a library gave it: `Error [ENOENT]`. */
export function kindOf(error: unknown): string {
  const { thrown } = thrownBy(error);
  const code = codeOf(error);
  return code !== undefined && /^[A-Z][A-Z0-9_]{2,40}$/.test(code) ? `${thrown} [${code}]` : thrown;
}

/** The parts of an error that is made of what other code threw: `problem` holds no content, `options.detail` may. */
export function problemOf(error: unknown): { readonly problem: string; readonly options: ErrorOptions } {
  if (error instanceof LLMEtlError) return { problem: error.message, options: { cause: error, detail: error.detail } };
  const options = { cause: error, detail: `it threw ${thrownDetail(error)}`, facts: { ...thrownBy(error) } };
  return { problem: `it threw ${describeThrown(error)}`, options };
}

/** An error as it is, if it is one of ours; else one of the run, for no one expected it. */
export function asLLMEtlError(error: unknown): LLMEtlError {
  if (error instanceof LLMEtlError) return error;
  if (error instanceof FileError)
    return new RunError("INTERNAL_ERROR", error.message, { cause: error, facts: { code: error.code } });
  const { options } = problemOf(error);
  return new RunError("INTERNAL_ERROR", `${describeThrown(error)} was thrown`, options);
}

/** The same with the message, for a `detail`. */
export function thrownDetail(error: unknown): string {
  const { place } = thrownBy(error);
  return `${withoutSecrets(textOf(error))}${place === undefined ? "" : ` at ${place}`}`;
}

/** The place of an error in the user's files, `path:line`; undefined if its stack names only our files and packages. */
export function placeOf(error: Error): string | undefined {
  const { location, frames } = stackOf(error);
  if (location !== undefined) return pathIn(location);
  const own = new URL("../", import.meta.url);
  const ours = [own.href, fileURLToPath(own)];
  for (const line of frames) {
    const [, place] = /(?:\(|at (?:async )?)((?:file:\/\/|\/|[A-Z]:\\).*:\d+):\d+\)?$/.exec(line) ?? [];
    if (place === undefined || /[/\\]node_modules[/\\]/.test(place) || ours.some((part) => place.startsWith(part)))
      continue;
    return pathIn(place);
  }
  return undefined;
}

export interface StackParts {
  /** `file:line` of source text that could not be parsed: Node puts it before the error's name. */
  readonly location: string | undefined;
  readonly frames: readonly string[];
}

const frame = /^ {4}at .*(?::\d+:\d+|<anonymous>|native|index \d+)\)?$/;
const location = /^(?:file:\/\/|\/|[A-Z]:\\).*:\d+$/;

/** Parses a stack: its last lines, which are frames. The error's message is left out: it may hold content, and may look like frames. */
export function stackOf(error: Error): StackParts {
  const stack = typeof error.stack === "string" ? error.stack : "";
  const [first = ""] = stack.split("\n", 1);
  const words = stack.indexOf(error.message);
  const behind = words === -1 ? stack : stack.slice(words + error.message.length);
  const lines = behind.trimEnd().split("\n");
  const frames = lines.slice(lines.findLastIndex((line) => !frame.test(line)) + 1);
  return { location: location.test(first) ? first : undefined, frames };
}

/** A place with its path: that of a `file:` URL is decoded. */
export function pathIn(place: string): string {
  const [, file = place, line = ""] = /^(.*):(\d+)$/.exec(place) ?? [];
  return `${file.startsWith("file:") ? fileURLToPath(file) : file}:${line}`;
}
