import type { z } from "zod";

/** Stands for a name that no schema has: the key of a record, say, which is content. */
const hidden = "…";

/**
 * A path in a row as a message may show it: names that the Zod schema declares, and positions in lists. Of another library's schema the
 * names are not known: of its paths the first part is shown, unless `hidesNames`.
 */
export function declaredPath(schema: object, path: readonly PropertyKey[], hidesNames: boolean): readonly string[] {
  if (!isZod(schema)) {
    return path.map((key, index) => (typeof key === "number" || (index === 0 && !hidesNames) ? String(key) : hidden));
  }
  let nodes: readonly z.core.$ZodType[] = [schema];
  return path.map((key) => {
    const all = nodes.flatMap((node) => plainTypes(node, 0));
    nodes = all.flatMap((node) => childOf(node, key));
    return typeof key === "number" || nodes.length > 0 ? String(key) : hidden;
  });
}

/** Zod's own copy may be another than ours: it is known by its structure. */
function isZod(schema: object): schema is z.core.$ZodType {
  return "_zod" in schema;
}

/** A schema without what is wrapped around it, and its alternatives. A schema that is only made of itself ends. */
function plainTypes(node: z.core.$ZodType, depth: number): readonly z.core.$ZodType[] {
  // Zod's class of all types narrows by `def.type`; that of one does not.
  const { def } = (node as z.core.$ZodTypes)._zod;
  if (depth > 50) return [];
  const inner = (...types: readonly z.core.$ZodType[]): readonly z.core.$ZodType[] => {
    return types.flatMap((type) => plainTypes(type, depth + 1));
  };
  if ("innerType" in def) return inner(def.innerType);
  if (def.type === "union") return inner(...def.options);
  if (def.type === "intersection") return inner(def.left, def.right);
  if (def.type === "pipe") return inner(def.in, def.out);
  return def.type === "lazy" ? inner(def.getter()) : [node];
}

function childOf(node: z.core.$ZodType, key: PropertyKey): readonly z.core.$ZodType[] {
  const { def } = (node as z.core.$ZodTypes)._zod; // see above
  if (def.type === "object" && Object.hasOwn(def.shape, key)) {
    const child = def.shape[String(key)];
    return child === undefined ? [] : [child];
  }
  if (def.type === "array" && typeof key === "number") return [def.element];
  if (def.type === "tuple" && typeof key === "number") {
    const item = def.items[key] ?? def.rest;
    return item === null || item === undefined ? [] : [item];
  }
  return [];
}
