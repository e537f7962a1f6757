import { type JSONSchema, asSchema, resolveReference } from "./json-schema.ts";

/** The alternatives of a schema, without references: of one that has none, itself. */
export function alternativesOf(node: JSONSchema, root: JSONSchema): readonly JSONSchema[] {
  return alternatives(node, root, new Set());
}

function alternatives(node: JSONSchema, root: JSONSchema, above: ReadonlySet<JSONSchema>): readonly JSONSchema[] {
  if (above.has(node)) return []; // a schema that is nothing but itself
  const path = new Set([...above, node]);
  if (node.$ref !== undefined) return alternatives(resolveReference(node.$ref, root), root, path);
  const choices = node.anyOf ?? node.oneOf;
  if (choices === undefined) return [node];
  return choices.flatMap((choice) => alternatives(asSchema(choice), root, path));
}

/** In a path, an item of an array: any that is there. */
export const anyItem = "*";

/** The schemas, without alternatives and references, of the values that a path of names may lead to; none if no value has it. */
export function schemasAt(root: JSONSchema, path: readonly string[]): readonly JSONSchema[] {
  let found = alternativesOf(root, root);
  for (const name of path) {
    found = found.flatMap((parent) => {
      const child = (name === anyItem ? itemOf(parent) : undefined) ?? propertyOf(parent, name);
      return child === undefined ? [] : alternativesOf(child, root);
    });
  }
  return found;
}

/** The schema of an object's property. */
export function propertyOf({ properties = {} }: JSONSchema, name: string): JSONSchema | undefined {
  const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
  return property === undefined ? undefined : asSchema(property);
}

/** The schema of an array's items, where all have one. */
export function itemOf({ items }: JSONSchema): JSONSchema | undefined {
  return items === undefined || Array.isArray(items) ? undefined : asSchema(items);
}

/** A path in a value as a message may show it: names that no schema has (they are the value's own) become "…". */
export function declaredPath(root: JSONSchema, path: readonly PropertyKey[]): readonly string[] {
  let nodes = alternativesOf(root, root);
  return path.map((key) => {
    nodes = nodes.flatMap(({ properties = {}, items }) => {
      const isItem = typeof key === "number" && items !== undefined && !Array.isArray(items);
      const child = isItem ? items : Object.hasOwn(properties, key) ? properties[String(key)] : undefined;
      return child === undefined ? [] : alternativesOf(asSchema(child), root);
    });
    return typeof key === "number" || nodes.length > 0 ? String(key) : "…";
  });
}

/** The names of types that a schema without alternatives allows; none where it does not say. */
export function typesOf({ type, const: constant, enum: values }: JSONSchema): readonly string[] {
  const names: unknown[] = [type ?? []].flat(); // a list of types is JSON Schema that Zod's type for it does not foresee
  if (names.length > 0) return names.filter((name) => typeof name === "string");
  const all = constant === undefined ? (values ?? []) : [constant];
  return [...new Set(all.map((value) => (value === null ? "null" : typeof value)))];
}
