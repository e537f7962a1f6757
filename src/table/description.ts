import type { JSONSchema } from "../json/json-schema.ts";
import type { Each, Sink } from "../contracts/sink.ts";
import type { AnySource } from "../contracts/source.ts";
import type { Step } from "../contracts/step.ts";
import type { FieldType, TargetDescription, ValueType } from "../contracts/target.ts";
import { shownFor, type StatePath, tracePaths } from "../engine/traced-paths.ts";
import { rowFields } from "./row-fields.ts";
import { anyItem } from "../json/schema-fields.ts";
import { fieldType, unknownType } from "./value-type.ts";

interface Described {
  readonly source: AnySource;
  readonly steps: readonly Pick<Step<never, string, unknown>, "outputKey" | "outputSchema" | "when">[];
  readonly sink: Pick<Sink<never>, "name" | "columnMap" | "table">;
  readonly each?: Pick<Each, "items"> | undefined;
}

/** Runs each function of the column map once, on a stand-in, and looks up in the schemas what it shows. */
export function describeTarget({ source, steps, sink, each }: Described): TargetDescription {
  const paths = tracePaths(sink.columnMap);
  const row = source.schema === undefined ? undefined : rowFields(source.schema);
  const names = Object.keys(sink.columnMap);
  const items = each && tracePaths({ items: each.items }).get("items");
  const schemas = { source, steps, row, items };
  return {
    sink: sink.name,
    targetTable: sink.table?.name,
    strategy: sink.table?.strategy,
    dialect: sink.table?.dialect,
    keys: sink.table?.keys ?? names.filter((name) => paths.get(name)?.join(".") === "pk").slice(0, 1),
    columns: names.map((name) => {
      const path = paths.get(name);
      const read = sink.columnMap[name];
      const isTraced = path !== undefined && read !== undefined;
      const { type, isNullable } = isTraced ? asShown(fieldOf(path, schemas), read, path) : ofNoPath;
      return { name, type, isNullable, isCompletedAt: path?.join(".") === "completedAt" };
    }),
  };
}

const ofNoPath: FieldType = { type: unknownType("the column map makes it"), isNullable: true };

/** Values of a kind, of which a function may make something else. */
const probes: { readonly [Kind in ValueType["kind"]]?: readonly unknown[] } = {
  text: ["", "x"],
  integer: [0, 1],
  number: [0, 0.5],
  boolean: [false, true],
};

/** The field as the column's function shows it: `(s) => s.processed.x.score ?? "none"` makes more than a number of one. */
function asShown(field: FieldType, read: (state: never) => unknown, path: StatePath): FieldType {
  let { type, isNullable } = field;
  const values = probes[type.kind] ?? [];
  if (type.kind === "unknown") return field;
  for (const value of field.isNullable ? [...values, null] : values) {
    const found = shownFor(read, path, value);
    if (found === undefined) return ofNoPath;
    const { shown } = found;
    if (shown === null || shown === undefined) isNullable = true;
    else if (Object.is(shown, value)) continue;
    else if (values.length === 0 || typeof shown !== typeof values[0]) return ofNoPath;
    else if (type.kind === "text") type = { kind: "text", maxLength: undefined, isLimit: false };
  }
  return { type, isNullable };
}

interface Schemas extends Pick<Described, "source" | "steps"> {
  readonly row: JSONSchema | undefined;
  /** The path of the items behind `each`; undefined where its function makes them. */
  readonly items: StatePath | undefined;
}

function fieldOf([root = "", ...path]: StatePath, schemas: Schemas): FieldType {
  const [name = "", ...rest] = path;
  switch (root) {
    case "item":
      if (schemas.items === undefined) return { type: unknownType("each makes the items"), isNullable: true };
      return fieldOf([...schemas.items, anyItem, ...path], schemas);
    case "index":
      return { type: count, isNullable: false };
    case "pk":
      return { type: keyType(schemas), isNullable: false };
    case "startedAt":
    case "completedAt":
      return { type: { kind: "moment", decimals: 3 }, isNullable: false };
    case "run":
      return { type: name === "id" ? { kind: "uuid" } : { kind: "json" }, isNullable: false };
    case "lineage":
      // NULL for a step that called no model.
      return { type: lineageTypes.get(rest.join(".")) ?? { kind: "json" }, isNullable: true };
    case "raw":
      return ofRow(path, schemas);
    case "processed":
      return ofStep(path, schemas);
    default:
      return { type: { kind: "json" }, isNullable: false };
  }
}

const count: ValueType = { kind: "integer", minimum: 0, maximum: 2 ** 31 - 1 };
const lineageTypes: ReadonlyMap<string, ValueType> = new Map<string, ValueType>([
  ["model", { kind: "text", maxLength: 200, isLimit: false }],
  ["promptHash", { kind: "digits", length: 16 }],
  ["inputTokens", count],
  ["cachedTokens", count],
  ["outputTokens", count],
  ["calls", count],
]);

/** A key is the text of what the row has: a column of the row's own type takes it, where text and value are one. */
function keyType({ source, row }: Schemas): ValueType {
  const type = row === undefined ? undefined : fieldType(row, [source.primaryKeyColumn])?.type;
  if (type?.kind === "text" || type?.kind === "integer" || type?.kind === "uuid") return type;
  return { kind: "text", maxLength: undefined, isLimit: false };
}

function ofRow(path: readonly string[], { source, row }: Schemas): FieldType {
  if (path.length === 0) return { type: { kind: "json" }, isNullable: false };
  const isKey = path.length === 1 && path[0] === source.primaryKeyColumn;
  const field = row === undefined ? undefined : fieldType(row, path);
  if (field !== undefined) return { type: field.type, isNullable: field.isNullable && !isKey };
  const reason =
    source.schema === undefined
      ? "the source has no schema"
      : row === undefined
        ? "the source's schema is not Zod's"
        : "the source's schema has no such field";
  return { type: unknownType(reason), isNullable: !isKey };
}

function ofStep([outputKey, ...path]: readonly string[], { steps }: Schemas): FieldType {
  if (outputKey === undefined) return { type: { kind: "json" }, isNullable: false };
  const { outputSchema: schema, when } = steps.find((step) => step.outputKey === outputKey) ?? {};
  if (schema === undefined) return { type: unknownType("its step has no schema"), isNullable: true };
  const field = fieldType(schema, path);
  if (field === undefined) return { type: unknownType("its step's schema has no such field"), isNullable: true };
  return when === undefined ? field : { ...field, isNullable: true };
}
