import type { z } from "zod";
import { valueAt, wordingOf } from "../errors/wording.ts";
import type { JSONSchema } from "../json/json-schema.ts";

/** One thing that is wrong with an answer. `message` holds no content; `detail` is what the model is told. */
export interface Issue {
  /** Dotted; empty for the answer as a whole. */
  readonly path: string;
  readonly message: string;
  readonly detail: string;
}

/** Words what Zod found, with expected and got. `schema` is the full one, with limits as keywords. */
export function describeIssues(
  issues: readonly z.core.$ZodIssue[],
  answer: unknown,
  schema: JSONSchema,
): readonly Issue[] {
  return issues.map((issue) => {
    const expected = wordingOf(issue, valueAt(answer, issue.path), schemaAt(schema, issue.path));
    return { path: issue.path.map(String).join("."), ...expected };
  });
}

/** The schema of a field, as far as the path leads through objects and arrays. */
function schemaAt(schema: JSONSchema, path: readonly PropertyKey[]): JSONSchema {
  let node = schema;
  for (const key of path) {
    const child = typeof key === "number" && !Array.isArray(node.items) ? node.items : node.properties?.[String(key)];
    if (typeof child !== "object") return {};
    node = child;
  }
  return node;
}
