import type { FieldLimit, Step } from "../contracts/step.ts";
import type { ColumnLimit, ColumnMap } from "../contracts/sink.ts";
import type { JSONSchema } from "../json/json-schema.ts";
import { TargetError } from "../errors/sink.ts";
import { tracePaths } from "./traced-paths.ts";

/** By output key, the limits that a step's output has to keep. */
export type ColumnLimits = ReadonlyMap<string, readonly FieldLimit[]>;

/**
 * Takes the limits of the target's columns to the steps' outputs: a limit applies to the field that a column shows
 * unchanged, if the step's schema has that field.
 *
 * @throws {TargetError} if a field has a choice that its column can't hold: no answer could be written that takes it
 */
export function columnLimits(
  sink: { readonly name: string; readonly columnMap: ColumnMap<never> },
  limits: Readonly<Record<string, ColumnLimit>>,
  steps: readonly Pick<Step<never, string, unknown>, "name" | "outputKey" | "outputSchema">[],
): ColumnLimits {
  const found = new Map<string, FieldLimit[]>();
  for (const [column, [root, outputKey = "", ...path]] of tracePaths(sink.columnMap)) {
    const limit = limits[column];
    const step = steps.find((one) => one.outputKey === outputKey);
    const field = fieldAt(step?.outputSchema, path);
    if (root !== "processed" || limit === undefined || step === undefined || field === undefined) continue;
    for (const choice of field.enum ?? []) {
      const problem = limit.problemOf(choice);
      if (problem === undefined || choice === null) continue;
      const sentence = `the column "${column}" can't hold ${JSON.stringify(choice)}, which step "${step.name}" may answer`;
      const hint = "widen the column, or shorten the choice";
      throw new TargetError(sink.name, `${sentence}: ${problem.message}`, {
        facts: { where: column, step: step.name, choice: String(choice), hint },
      });
    }
    found.set(outputKey, [...(found.get(outputKey) ?? []), { ...limit, path, column }]);
  }
  return found;
}

/** The schema of a field, as far as the path leads through objects. */
function fieldAt(schema: JSONSchema | undefined, path: readonly string[]): JSONSchema | undefined {
  let node = schema;
  for (const name of path) {
    const child = node?.properties?.[name];
    if (typeof child !== "object") return undefined;
    node = child;
  }
  return path.length === 0 ? undefined : node;
}
