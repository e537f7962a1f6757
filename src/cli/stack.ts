import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { kindOf, pathIn, stackOf } from "../errors/thrown.ts";

/** The stacks of an error and of its causes, outermost first, each cause with its name and code. */
export function stacksOf(error: Error): string {
  const seen = new Set<unknown>();
  const parts: string[] = [];
  for (let next: unknown = error; next instanceof Error && !seen.has(next); next = next.cause) {
    seen.add(next);
    const { location: place, frames } = stackOf(next);
    const intro =
      parts.length === 0 ? [] : [`caused by ${headOf(next)}${place === undefined ? "" : ` at ${pathIn(place)}`}`];
    parts.push([...intro, ...frames].join("\n"));
  }
  return parts.filter((part) => part !== "").join("\n");
}

/** The name, code and message of an error. Messages of other errors than ours may hold content, and are left out. */
function headOf(error: Error): string {
  return error instanceof LLMEtlError ? `${error.name} [${error.code}]: ${error.message}` : kindOf(error);
}
