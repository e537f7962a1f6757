import { existsSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { errorCodes, LLMEtlError } from "../errors/llm-etl-error.ts";
import { SettingError } from "../errors/option.ts";
import { messageOf } from "../errors/thrown.ts";
import { inOneLine } from "./format.ts";
import { placeOf, stacksOf } from "./stack.ts";

export type StopSignal = "SIGINT" | "SIGTERM";

/** A stream that is written to. The members that are not functions are those of a terminal, and undefined elsewhere. */
export interface Output {
  readonly write: (text: string) => unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  /** Whether colours are wanted: `NO_COLOR`, `FORCE_COLOR` and `TERM` are heeded. */
  readonly hasColors?: (() => boolean) | undefined;
}

/** The slice of `process` that the command line uses. */
export interface Terminal {
  /** For results, and nothing else. */
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: { readonly isTTY?: boolean | undefined };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Adds the variables of a file to `env`; those that are there keep their values. Throws where there is no such file. */
  readonly loadEnvFile: (path: string) => void;
  readonly on: (event: StopSignal, listener: () => void) => unknown;
  readonly removeListener: (event: StopSignal, listener: () => void) => unknown;
}

/** Whether somebody watches: then lines may be drawn over, and questions asked. */
export function isWatched({ stderr, env }: Terminal): boolean {
  const isCI = env["CI"] !== undefined && env["CI"] !== "" && env["CI"] !== "false";
  const hasArea = stderr.isTTY === true && stderr.columns !== 0; // one that nobody gave a size has none
  return hasArea && env["TERM"] !== "dumb" && !isCI;
}

/**
 * An error in words: its message and code, the place in the user's files that it comes from, where its code is
 * explained, and where a missing setting may come from; with its stack and those of its causes where `withStack` asks for them.
 */
export function describeError(error: unknown, withStack: boolean): string {
  const code = error instanceof LLMEtlError ? error.code : undefined;
  const place = error instanceof Error ? placeOf(error) : undefined;
  const lines = [
    `llm-etl: ${messageOf(error)}${code === undefined ? "" : ` [${code}]`}`,
    ...(place === undefined ? [] : [`  at ${fromHere(place)}`]),
    ...(code === undefined ? [] : docsOf(code)),
    ...(error instanceof SettingError ? [adviceOnSettings()] : []),
    ...(withStack && error instanceof Error ? stacksOf(error).split("\n") : []),
  ];
  return lines.map(inOneLine).join("\n");
}

/** Where an error's code is explained, as a line; none for a code that is not ours. */
export function docsOf(code: string): readonly string[] {
  if (!errorCodes.some((known) => known === code)) return [];
  const page = fileURLToPath(new URL("../../docs/errors.md", import.meta.url));
  return [`  see ${fromHere(page)}#${code.toLowerCase()}`];
}

function adviceOnSettings(): string {
  const file = existsSync(".env") ? "there is a .env here" : "put it into a file, as .env";
  return `  ${file}: --env-file .env reads it`;
}

/** A path as one would type it here: relative to the working directory, where that is not longer. */
export function fromHere(path: string): string {
  const short = relative(process.cwd(), path);
  return short.length < path.length ? short : path;
}
