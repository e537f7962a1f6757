import type { FieldLimit, Step } from "../contracts/step.ts";
import type { ColumnLimit, ColumnMap, Each } from "../contracts/sink.ts";
import { isFromData, type JSONSchema } from "../json/json-schema.ts";
import { anyItem, itemOf, propertyOf, schemasAt, typesOf } from "../json/schema-fields.ts";
import { TargetError } from "../errors/sink.ts";
import { passesOn, type StatePath, tracePaths } from "./traced-paths.ts";

/** By output key, the limits that a step's output has to keep. */
export type ColumnLimits = ReadonlyMap<string, readonly FieldLimit[]>;

type LimitedStep = Pick<Step<never, string, unknown>, "name" | "outputKey" | "outputSchema">;

interface LimitedSink {
  readonly name: string;
  readonly columnMap: ColumnMap<never>;
}

/**
 * Takes the limits of the target's columns to the steps' outputs: a limit applies to the field that a column shows, if the step's schema has
 * that field, and to the values that the column's function is proved to pass on unchanged. Behind `each` a field of an item is one of the array
 * that `each` passes on.
 *
 * @throws {TargetError} if a field has a choice that its column can't hold, or is of a type of which it can hold no value: what a model
 * answers could not be written
 */
export function columnLimits(
  { sink, each }: { readonly sink: LimitedSink; readonly each?: Pick<Each, "items"> | undefined },
  limits: Readonly<Record<string, ColumnLimit>>,
  steps: readonly LimitedStep[],
): ColumnLimits {
  const items = each && passedItems(each);
  const found = new Map<string, FieldLimit[]>();
  for (const [column, statePath] of tracePaths(sink.columnMap)) {
    const isOfItem = statePath[0] === "item" && items !== undefined;
    const [root, outputKey = "", ...path] = isOfItem ? [...items, anyItem, ...statePath.slice(1)] : statePath;
    const limit = limits[column];
    const read = sink.columnMap[column];
    const step = steps.find((one) => one.outputKey === outputKey);
    if (root !== "processed" || limit === undefined || read === undefined || step?.outputSchema === undefined) continue;
    const fields = schemasAt(step.outputSchema, path);
    const passed = limitOfPassed(limit, read, statePath);
    requireChoices(sink, { column, step, limit: passed, fields });
    if (path.length === 0 || fields.length === 0) continue;
    const isEverywhere = isInEachAlternative(step.outputSchema, path);
    const problemOf: ColumnLimit["problemOf"] = (value) => {
      // Of an alternative without the field a re-ask would push the model to another one.
      return value === undefined && !isEverywhere ? undefined : passed.problemOf(value);
    };
    found.set(outputKey, [...(found.get(outputKey) ?? []), { ...passed, problemOf, path, column }]);
  }
  return found;
}

/** The path of the array that `each` gives as it is; undefined where it makes one. */
function passedItems({ items }: Pick<Each, "items">): StatePath | undefined {
  const path = tracePaths({ items }).get("items");
  return path !== undefined && passesOn(items, path, []) ? path : undefined;
}

/** The limits of several sinks: a field has to keep those of each. */
export function limitsOfAll(ofSinks: readonly ColumnLimits[]): ColumnLimits {
  const all = new Map<string, readonly FieldLimit[]>();
  for (const limits of ofSinks) {
    for (const [outputKey, found] of limits) all.set(outputKey, [...(all.get(outputKey) ?? []), ...found]);
  }
  return all;
}

/** True if each object on the way to the field has the next name, whatever alternative it is. */
function isInEachAlternative(schema: JSONSchema, path: readonly string[]): boolean {
  return path.every((name, index) => {
    const parents = schemasAt(schema, path.slice(0, index)).filter((parent) => typesOf(parent).join() !== "null");
    const childOf = (parent: JSONSchema): unknown =>
      (name === anyItem ? itemOf(parent) : undefined) ?? propertyOf(parent, name);
    return parents.every((parent) => childOf(parent) !== undefined);
  });
}

/** The limit of a column for what its function is given: a value that it does not pass on breaks none. */
function limitOfPassed(limit: ColumnLimit, read: (state: never) => unknown, path: StatePath): ColumnLimit {
  const isPassed = (value: unknown): boolean => passesOn(read, path, value);
  const { maxLength, minimum, maximum, enum: choices } = limit.schema;
  const schema = {
    ...(maxLength !== undefined && longTexts(maxLength).every(isPassed) && { maxLength }),
    ...(minimum !== undefined && [minimum - 1, minimum - 0.5, 2 * minimum - 100].every(isPassed) && { minimum }),
    ...(maximum !== undefined && [maximum + 1, maximum + 0.5, 2 * maximum + 100].every(isPassed) && { maximum }),
    ...(choices !== undefined && [...choices, ...otherThan(choices)].every(isPassed) && { enum: choices }),
  };
  return {
    schema,
    problemOf: (value) => {
      const problem = limit.problemOf(value);
      return problem === undefined || !isPassed(value) ? undefined : problem;
    },
  };
}

/** Texts that break a limit, as far as one can be made that long. */
function longTexts(maxLength: number): readonly string[] {
  const length = Math.min(maxLength + 1, 100_000);
  return ["x".repeat(length), "1".repeat(length), "A b. ".repeat(Math.ceil(length / 5))];
}

/** Values that are none of these. */
function otherThan(choices: readonly (string | number)[]): readonly (string | number)[] {
  const numbers = choices.filter((choice) => typeof choice === "number");
  if (numbers.length === choices.length) return [Math.max(...numbers) + 1, Math.min(...numbers) - 1.5];
  return ["another", "A b.", "1"].filter((text) => !choices.includes(text));
}

interface LimitedField {
  readonly column: string;
  readonly step: LimitedStep;
  readonly limit: ColumnLimit;
  /** All that the field may be. */
  readonly fields: readonly JSONSchema[];
}

function requireChoices(sink: LimitedSink, { column, step, limit, fields }: LimitedField): void {
  for (const field of fields.filter(isFromData)) requireDataChoices(sink, { column, step, limit, fields: [field] });
  for (const choice of fields.flatMap((field) => choicesOf(field) ?? [])) {
    const problem = limit.problemOf(choice);
    if (problem === undefined || choice === null) continue;
    const sentence = `the column "${column}" can't hold ${JSON.stringify(choice)}, which step "${step.name}" may answer`;
    const hint =
      limit.schema.enum === undefined
        ? "widen the column, or shorten the choice"
        : "let the column hold it, or take it out of the step's choices";
    throw new TargetError(sink.name, `${sentence}: ${problem.message}`, {
      facts: {
        where: column,
        step: step.name,
        choice: typeof choice === "string" ? choice : JSON.stringify(choice),
        hint,
      },
    });
  }
  const others = fields.filter((field) => choicesOf(field) === undefined);
  const types = [...new Set(others.flatMap(typesOf))].filter((type) => type !== "null");
  const problems = types.map((type) => (samples[type] ?? []).map((value) => limit.problemOf(value)?.message));
  const isNeverHeld = problems.every((some) => some.length > 0 && some.every((problem) => problem !== undefined));
  if (types.length === 0 || others.length < fields.length || !isNeverHeld) return;
  const type = types.map((one) => names[one] ?? one).join(" or ");
  const sentence = `the column "${column}" can't hold ${type}, which step "${step.name}" answers`;
  const hint =
    "write one of its fields, make it a text in the columnMap (JSON.stringify), or give the column a type that holds it";
  throw new TargetError(sink.name, `${sentence}: ${problems.flat()[0] ?? ""}`, {
    facts: { where: column, step: step.name, type, hint },
  });
}

/** The same for choices that come from data, which stand in no message. */
function requireDataChoices(sink: LimitedSink, { column, step, limit, fields }: LimitedField): void {
  const choices = fields.flatMap((field) => choicesOf(field) ?? []);
  const problems = choices.map((choice) => limit.problemOf(choice)?.message);
  const first = problems.findIndex((problem) => problem !== undefined);
  if (first === -1) return;
  const count = problems.filter((problem) => problem !== undefined).length;
  const sentence = `the column "${column}" can't hold ${count} of the ${choices.length} values from data that step "${step.name}" may give`;
  throw new TargetError(sink.name, `${sentence}: ${problems[first]}`, {
    detail: `${sink.name}: ${sentence}, ${JSON.stringify(choices[first])} among them: ${problems[first]}`,
    facts: { where: column, step: step.name, count, hint: "widen the column, or shorten the values in the data" },
  });
}

function choicesOf({ enum: values, const: constant }: JSONSchema): readonly unknown[] | undefined {
  return constant === undefined ? values : [constant];
}

/** By type, values such that a column which holds none of them holds no value of the type. */
const samples: Readonly<Record<string, readonly unknown[]>> = { array: [[]], object: [{}], boolean: [true, false] };
const names: Readonly<Record<string, string>> = { array: "an array", object: "an object", boolean: "true or false" };
