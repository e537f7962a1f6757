import type { z } from "zod";
import { closest } from "../errors/closest.ts";
import { describeType } from "../errors/describe-type.ts";
import type { ErrorFacts } from "../errors/facts.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";
import { type JSONSchema, asSchema } from "../json/json-schema.ts";
import { alternativesOf } from "../json/schema-fields.ts";
import { describeIssues } from "../validation/issues.ts";
import type { StrictSchema } from "../validation/strict-schema.ts";
import { parseNow } from "../validation/synchronous-schema.ts";
import { placePassages } from "../validation/verbatim.ts";
import type { InputValues, RowInputs } from "./row-inputs.ts";

/** Inputs, and the answer that is wanted for them. The model is shown it with each row. */
export interface StepExample<Input extends string = string, Answer extends object = object> {
  readonly input: InputValues<Input>;
  /** As the model is to write it: every field of the schema, in its form before transforms. */
  readonly output: Answer;
}

interface Shown {
  /** The step's name, for messages. */
  readonly step: string;
  readonly inputs: Readonly<{ functions: object; renderValues: RowInputs<never>["renderValues"] }>;
  readonly schema: z.ZodObject;
  readonly strict: StrictSchema;
}

/**
 * The part of the system message with the examples, each as a row's inputs are shown and as a model writes its answer.
 *
 * @throws {OptionError} if an example has an input that the step does not have, no text, or an answer that the schema rejects
 */
export function examplesText(examples: readonly StepExample[], shown: Shown): string {
  const texts = examples.map((example, index) => exampleText(example, { ...shown, place: `example ${index + 1}` }));
  return ["Examples, each with the reply that is wanted:", ...texts].join("\n\n");
}

function exampleText(
  example: StepExample,
  { step, inputs, schema, strict, place }: Shown & { readonly place: string },
): string {
  const wrong = (problem: string, facts: ErrorFacts): OptionError => {
    return new OptionError(`step "${step}"`, "examples", `${place}: ${problem}`, facts);
  };
  if (!isObject(example) || !isObject(example.input) || !isObject(example.output)) {
    throw wrong("", { expected: "{ input, output }, both objects", got: describeType(example) });
  }
  const names = new Set(["text", ...Object.keys(inputs.functions)]);
  for (const name of Object.keys(example.input)) {
    if (names.has(name)) continue;
    const [nearest] = closest(name, [...names], 1);
    throw wrong(`the step has no input "${name}"`, {
      where: name,
      hint: `its inputs are ${[...names].join(", ")}`,
      nearest,
    });
  }
  const result = parseNow(schema, example.output);
  if (!result.success) {
    const [issue] = describeIssues(result.error.issues, example.output, strict.full);
    throw wrong(`output.${issue?.path ?? ""} ${issue?.message ?? "is wrong"}`, { where: issue?.path });
  }
  const [misquoted] = placePassages(result.data, String(example.input.text)).issues;
  if (misquoted !== undefined) throw wrong(`output.${misquoted.path} ${misquoted.message}`, { where: misquoted.path });
  const unknown = unknownField(example.output, strict.json);
  if (unknown !== undefined) throw wrong(`the schema has no field "${unknown}"`, { where: unknown });
  try {
    return `${inputs.renderValues(example.input)}\n\nReply: ${JSON.stringify(asWritten(example.output, strict.json))}`;
  } catch (error) {
    if (!(error instanceof LLMEtlError)) throw error;
    throw wrong(error.message, { ...error.facts });
  }
}

/** The first field, dotted, that no alternative of the schema has with the others. */
function unknownField(answer: unknown, schema: JSONSchema, root: JSONSchema = schema): string | undefined {
  if (Array.isArray(answer)) {
    const items = itemsOf(schema, root);
    return items && answer.map((item) => unknownField(item, items, root)).find((name) => name !== undefined);
  }
  if (!isObject(answer)) return undefined;
  const meant = meantBy(answer, schema, root);
  for (const [name, value] of Object.entries(answer)) {
    const field = meant?.[name];
    const below = field && unknownField(value, asSchema(field), root);
    if (field === undefined) return name;
    if (below !== undefined) return `${name}.${below}`;
  }
  return undefined;
}

/** The answer as a model writes it: fields in the order of the schema, null for those that are left out. */
function asWritten(answer: unknown, schema: JSONSchema, root: JSONSchema = schema): unknown {
  if (Array.isArray(answer)) {
    const items = itemsOf(schema, root);
    return items === undefined ? answer : answer.map((item) => asWritten(item, items, root));
  }
  if (!isObject(answer)) return answer;
  const fields = Object.entries(meantBy(answer, schema, root) ?? {});
  return Object.fromEntries(
    fields.map(([name, field]) => [name, asWritten(answer[name] ?? null, asSchema(field), root)]),
  );
}

function itemsOf(schema: JSONSchema, root: JSONSchema): JSONSchema | undefined {
  const items = alternativesOf(schema, root).find((choice) => choice.items !== undefined)?.items;
  return items === undefined || Array.isArray(items) ? undefined : asSchema(items);
}

/** The fields of the alternative that an object is of: by its names, and by the values that a field may only have. */
function meantBy(
  answer: Readonly<Record<string, unknown>>,
  schema: JSONSchema,
  root: JSONSchema,
): JSONSchema["properties"] {
  const objects = alternativesOf(schema, root).filter(({ properties }) => properties !== undefined);
  const isMeant = ({ properties = {} }: JSONSchema): boolean => {
    const hasNames = Object.keys(answer).every((name) => Object.hasOwn(properties, name));
    return (
      hasNames &&
      Object.entries(properties).every(([name, field]) => {
        const { enum: values } = asSchema(field);
        return values === undefined || values.some((value) => value === (answer[name] ?? null));
      })
    );
  };
  return (objects.find(isMeant) ?? objects[0])?.properties;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
