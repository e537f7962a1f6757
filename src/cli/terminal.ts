import { LLMEtlError } from "../core/exceptions.ts";
import { messageOf } from "../core/thrown.ts";
import { stacksOf } from "./stack.ts";

/** The slice of `process` that the command line uses. */
export interface Terminal {
  readonly stdout: { readonly write: (text: string) => unknown };
  readonly stderr: { readonly write: (text: string) => unknown };
  readonly on: (event: "SIGINT" | "SIGTERM", listener: () => void) => unknown;
  readonly removeListener: (event: "SIGINT" | "SIGTERM", listener: () => void) => unknown;
}

/** An error in words, with its code; with its stack and those of its causes where `withStack` asks for them. */
export function describeError(error: unknown, withStack: boolean): string {
  const code = error instanceof LLMEtlError ? ` [${error.code}]` : "";
  const stack = withStack && error instanceof Error ? `\n${stacksOf(error)}` : "";
  return `llm-etl: ${messageOf(error)}${code}${stack}`;
}
