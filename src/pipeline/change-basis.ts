import { hash } from "node:crypto";
import type { ChangeReading } from "../contracts/source.ts";
import { ownVersion } from "../files/own-version.ts";
import type { ResolvedPipeline } from "./resolve.ts";
import { settingsText } from "./settings-text.ts";

/**
 * Hashes all on which it depends that a row which did not change is in the target as it should be: each part, by the part's name. Everything
 * is to be read where one differs from before.
 */
export async function changeBasis(
  { source, steps, sink, settings }: ResolvedPipeline,
  changes: ChangeReading,
): Promise<string> {
  const { name, primaryKeyColumn, schema } = source;
  const parts: readonly (readonly [name: string, text: string])[] = [
    ["the statement, its parameters or the column of the changes", await changes.basis(settings.parameters)],
    ["the source's key or its schema", settingsText({ name, primaryKeyColumn, schema })],
    ...steps.map(({ step, provider }): [string, string] => {
      const { name: stepName, outputKey, inputMap, when, outputSchema, settings: own = { ...step } } = step;
      return [`the step ${stepName}`, settingsText({ outputKey, inputMap, when, outputSchema, own, provider })];
    }),
    ["the steps or their order", settingsText(steps.map(({ step }) => step.name))],
    ["the target", sink.identity],
    [
      "the column map",
      settingsText({ columnMap: sink.columnMap, keys: sink.table?.keys, strategy: sink.table?.strategy }),
    ],
    ["the version of llm-etl", ownVersion()],
  ];
  return JSON.stringify(parts.map(([part, text]) => [part, hash("sha256", text, "hex").slice(0, 24)]));
}

/** The names of the parts in which a basis differs from an earlier one. */
export function differences(basis: string, earlier: string): readonly string[] {
  if (basis === earlier) return [];
  const before = new Map(partsIn(earlier));
  const changed = partsIn(basis).filter(([part, digest]) => before.get(part) !== digest);
  return changed.length === 0 ? ["the pipeline"] : changed.map(([part]) => part);
}

function partsIn(basis: string): [string, string][] {
  try {
    const parts: unknown = JSON.parse(basis);
    return Array.isArray(parts) ? parts.map(([part, digest]: unknown[]) => [String(part), String(digest)]) : [];
  } catch {
    return []; // of another version
  }
}
