import type { z } from "zod";
import { brokenRule } from "../errors/broken-rule.ts";
import { valueAt, wordingOfRule } from "../errors/wording.ts";
import type { JSONSchema } from "../json/json-schema.ts";
import { declaredPath } from "../json/schema-fields.ts";
import { formerRuleLine, ruleLine } from "./re-ask-wording.ts";

/** One problem with an answer. */
export interface Issue {
  /** The kind of rule that is broken: `choice`, `range`, … @default "own" */
  readonly code?: string | undefined;
  /** Dotted; empty for the answer as a whole. */
  readonly path: string;
  /** The same for people, where the path has names that are the answer's own. @default the path */
  readonly shownPath?: string | undefined;
  /** The sentence for people, without content of the answer. */
  readonly message: string;
  /** The sentence for people, with the value in it: for files of mode 0600. */
  readonly detail: string;
  /** The line that the model is sent in a re-ask, without the path; null where no answer would help. @default the detail */
  readonly reAsk?: string | null | undefined;
  /** The line of version 0.1, where it differs: answers to a re-ask with it are found by it; null where it had none. */
  readonly olderReAsk?: string | null | undefined;
}

/** The issue as one that the model is not told, for another one says more. Answers that 0.1 had to a re-ask with it are found. */
export function unspoken(issue: Issue): Issue {
  const { detail, reAsk = detail, olderReAsk = reAsk } = issue;
  return { ...issue, reAsk: null, olderReAsk };
}

/** Words the issues that Zod found. `schema` is the full one, with limits as keywords. */
export function describeIssues(
  issues: readonly z.core.$ZodIssue[],
  answer: unknown,
  schema: JSONSchema,
): readonly Issue[] {
  return issues.map((issue) => {
    const value = valueAt(answer, issue.path);
    const rule = brokenRule(issue, value, schemaAt(schema, issue.path));
    const path = issue.path.map(String).join(".");
    const former = formerRuleLine(rule, value);
    const shownPath = declaredPath(schema, issue.path).join(".");
    return {
      code: rule.kind,
      path,
      ...(shownPath !== path && { shownPath }),
      ...wordingOfRule(rule, value),
      reAsk: ruleLine(rule, value),
      ...(former !== undefined && { olderReAsk: former }),
    };
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
