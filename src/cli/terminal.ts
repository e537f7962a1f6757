import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { errorCodes, LLMEtlError } from "../errors/llm-etl-error.ts";
import { SettingError } from "../errors/option.ts";
import { inOneLine } from "./format.ts";
import { fromHere } from "../files/paths.ts";
import { describeThrown, placeOf } from "../errors/thrown.ts";
import type { Processes } from "./package-runner.ts";
import { stacksOf } from "./stack.ts";

export type StopSignal = "SIGINT" | "SIGTERM";
/** The events of a process about errors that no code handles, and about its end. */
export type ProcessEvent = "uncaughtException" | "unhandledRejection" | "beforeExit" | "exit";

/** An output stream. `isTTY` to `hasColors` are a terminal's, and undefined for any other stream. */
export interface Output {
  /** Writes a text; `done` is called when the stream has passed it on, or with the error for which it could not. */
  readonly write: (text: string, done?: (error?: Error | null) => void) => unknown;
  /** The descriptor of a stream of the process. */
  readonly fd?: number | undefined;
  readonly emit?: ((event: "error", error: Error) => unknown) | undefined;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  /** True if the terminal shows colours; it follows `NO_COLOR`, `FORCE_COLOR` and `TERM`. */
  readonly hasColors?: (() => boolean) | undefined;
}

/** The part of `process` that the command line uses. */
export interface Terminal {
  /** The stream for results only. */
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: { readonly isTTY?: boolean | undefined };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Adds the variables of a file to `env`; existing ones keep their values. @throws if there is no such file */
  readonly loadEnvFile: (path: string) => void;
  readonly on: ((event: StopSignal, listener: () => void) => unknown) &
    ((event: ProcessEvent, listener: (error: unknown) => void) => unknown);
  /** The processes of the machine; undefined where nothing is known of them. */
  readonly processes?: Processes | undefined;
  /** The exit code, for what happens after the command has returned its own. */
  exitCode?: number | string | null | undefined;
  readonly removeListener: (event: StopSignal, listener: () => void) => unknown;
}

/** True if somebody watches the terminal: then lines may be drawn over, and questions asked. */
export function isWatched({ stderr, env }: Pick<Terminal, "stderr" | "env">): boolean {
  const isCI = env["CI"] !== undefined && env["CI"] !== "" && env["CI"] !== "false";
  const hasArea = stderr.isTTY === true && stderr.columns !== 0; // 0 columns: a terminal without a size
  return hasArea && env["TERM"] !== "dumb" && !isCI;
}

/**
 * Describes an error in lines: its message and code, its place in the user's files, the page that explains its code, and for a
 * missing setting a way to give it. `withStack` adds its stack and those of its causes.
 */
export function describeError(error: unknown, withStack: boolean): string {
  const code = error instanceof LLMEtlError ? error.code : undefined;
  const place = error instanceof LLMEtlError ? placeOf(error) : undefined;
  const lines = [
    `llm-etl: ${error instanceof LLMEtlError ? `${error.message} [${error.code}]` : unnamed(error)}`,
    ...(place === undefined ? [] : [`  at ${fromHere(place)}`]),
    ...(code === undefined ? [] : docsOf(code)),
    ...(error instanceof SettingError ? [adviceOnSettings()] : []),
    ...(withStack && error instanceof Error ? stacksOf(error).split("\n") : []),
  ];
  return lines.map(inOneLine).join("\n");
}

/** The line that names the page about an error code; none for a code that is not ours. */
export function docsOf(code: string): readonly string[] {
  if (!errorCodes.some((known) => known === code)) return [];
  const page = fileURLToPath(new URL("../../docs/errors.md", import.meta.url));
  return [`  see ${fromHere(page)}#${code.toLowerCase()}`];
}

/** An error of other code than ours: its message may quote a row. */
function unnamed(error: unknown): string {
  return `${describeThrown(error)} was thrown; its message is left out, for it may hold content`;
}

function adviceOnSettings(): string {
  const file = existsSync(".env") ? "there is a .env here" : "put it into a file, as .env";
  return `  ${file}: --env-file .env reads it`;
}
