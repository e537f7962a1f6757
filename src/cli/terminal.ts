import { LLMEtlError, messageOf } from "../core/exceptions.ts";

/** The slice of `process` that the command line uses. */
export interface Terminal {
  readonly stdout: { readonly write: (text: string) => unknown };
  readonly stderr: { readonly write: (text: string) => unknown };
  readonly once: (event: "SIGINT" | "SIGTERM", listener: () => void) => unknown;
  readonly removeListener: (event: "SIGINT" | "SIGTERM", listener: () => void) => unknown;
}

/** An error in words, with its code; with its stack where `withStack` asks for it. */
export function describeError(error: unknown, withStack: boolean): string {
  const code = error instanceof LLMEtlError ? ` [${error.code}]` : "";
  const stack = withStack && error instanceof Error ? `\n${error.stack}` : "";
  return `llm-etl: ${messageOf(error)}${code}${stack}`;
}
