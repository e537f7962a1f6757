import { hash } from "node:crypto";
import type { ColumnLimit } from "../contracts/sink.ts";
import type { ChangeReading } from "../contracts/source.ts";
import { ownVersion } from "../files/own-version.ts";
import type { ResolvedPipeline } from "./resolve.ts";
import { settingsText } from "./settings-text.ts";

/**
 * Hashes all on which it depends that a row which did not change is in the target as it should be: each part, by the part's name. Everything
 * is to be read where one differs from before.
 */
export async function changeBasis(
  { source, steps, destinations, settings }: ResolvedPipeline,
  changes: ChangeReading,
): Promise<string> {
  const { name, primaryKeyColumn, schema } = source;
  const parts: readonly (readonly [name: string, text: string])[] = [
    ["the statement, its parameters or the column of the changes", await changes.basis(settings.parameters)],
    ["the source's key or its schema", settingsText({ name, primaryKeyColumn, schema })],
    ...steps.map(({ step, provider, choices }): [string, string] => {
      const { name: stepName, outputKey, inputMap, when, outputSchema, settings: own = { ...step } } = step;
      const classes = classesOf(step);
      const text = settingsText({ outputKey, inputMap, when, outputSchema, own, provider, choices, classes });
      return [`the step ${stepName}`, text];
    }),
    ["the steps or their order", settingsText(steps.map(({ step }) => step.name))],
    ["the target", destinations.map(({ sink }) => sink.identity).join("\n")],
    [
      "the column map",
      destinations
        .map(({ sink: { columnMap, table } }) =>
          settingsText({ columnMap, keys: table?.keys, strategy: table?.strategy }),
        )
        .join("\n"),
    ],
    ["the items of a row", settingsText(destinations.map(({ each }) => each))],
    ["the version of llm-etl", ownVersion()],
  ];
  return JSON.stringify(parts.map(([part, text]) => [part, digestOf(text)]));
}

/** A basis with the limits of the target's columns besides: they are part of what a model is asked, and known once the target is open. */
export function withLimits(
  basis: string,
  limits: readonly Readonly<Record<string, Pick<ColumnLimit, "schema">>>[],
): string {
  const texts = limits.map((ofSink) =>
    settingsText(Object.entries(ofSink).map(([column, { schema }]) => [column, schema])),
  );
  return JSON.stringify([...partsIn(basis), ["the limits of the target's columns", digestOf(texts.join("\n"))]]);
}

function digestOf(text: string): string {
  return hash("sha256", text, "hex").slice(0, 24);
}

/** The classes of a value, with the methods that they have. */
function classesOf(value: object): readonly unknown[] {
  const above: unknown = Object.getPrototypeOf(value);
  if (typeof above !== "object" || above === null || above === Object.prototype) return [];
  return [above.constructor, ...classesOf(above)];
}

/** The names of the parts of a basis that an earlier one lacks, or has otherwise. */
export function differences(basis: string, earlier: string): readonly string[] {
  const before = new Map(partsIn(earlier));
  const changed = partsIn(basis).filter(([part, digest]) => before.get(part) !== digest);
  return changed.map(([part]) => part);
}

function partsIn(basis: string): [string, string][] {
  try {
    const parts: unknown = JSON.parse(basis);
    return Array.isArray(parts) ? parts.map(([part, digest]: unknown[]) => [String(part), String(digest)]) : [];
  } catch {
    return []; // of another version
  }
}
