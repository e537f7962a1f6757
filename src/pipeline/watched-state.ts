import { type JSONSchema, asSchema } from "../json/json-schema.ts";
import { alternativesOf, typesOf } from "../json/schema-fields.ts";

/** The fields that a value may have; undefined where nothing is known of them. */
export type Shape = ObjectShape | undefined;

interface ObjectShape {
  readonly names: readonly string[];
  /** True if it may have others, too. */
  readonly isOpen: boolean;
  readonly at: (name: string) => Shape;
}

/** Something that a function read. */
export interface Read {
  /** From the state: `["processed", "kind", "category"]`. */
  readonly path: readonly string[];
  /** The names that are there instead; undefined where the path is known. */
  readonly others?: readonly string[];
  /** True where all names were asked for: those that are read of it afterwards need not be written in the function. */
  readonly isListing?: true;
}

/** The shape of an object with these fields. */
export function shapeOfFields(fields: Readonly<Record<string, Shape>>, isOpen = false): Shape {
  return { names: Object.keys(fields), isOpen, at: (name) => (Object.hasOwn(fields, name) ? fields[name] : undefined) };
}

/** The shape that a schema describes: undefined where one of its alternatives says nothing of its fields. */
export function shapeOf(schema: JSONSchema, root: JSONSchema = schema): Shape {
  const choices = alternativesOf(schema, root).filter((choice) => typesOf(choice).join() !== "null");
  if (choices.length === 0 || choices.some((choice) => typesOf(choice).length === 0)) return undefined;
  const objects = choices.filter((choice) => typesOf(choice).includes("object"));
  const lists = choices.filter((choice) => typesOf(choice).includes("array"));
  if (objects.some(({ properties }) => properties === undefined)) return undefined;
  if (objects.length === 0 && lists.length === 0) return undefined;
  return {
    names: objects.flatMap(({ properties = {} }) => Object.keys(properties)),
    isOpen: objects.some(({ additionalProperties: more }) => more !== undefined && more !== false),
    at: (name) => {
      if (/^\d+$/.test(name)) return lists.length === 1 ? itemShape(lists[0], root) : undefined;
      const fields = objects.flatMap(({ properties = {} }) => {
        return Object.hasOwn(properties, name) ? [asSchema(properties[name] ?? {})] : [];
      });
      return fields.length === 0 ? undefined : shapeOf({ anyOf: fields }, root);
    },
  };
}

function itemShape(list: JSONSchema | undefined, root: JSONSchema): Shape {
  const items = list?.items;
  return items === undefined || Array.isArray(items) ? undefined : shapeOf(asSchema(items), root);
}

/** The shape of an object, as far as its own fields tell. */
export function shapeOfValue(value: unknown): Shape {
  if (!isPlain(value) || Array.isArray(value)) return undefined;
  return shapeOfFields(Object.fromEntries(Object.keys(Object(value)).map((name) => [name, undefined])));
}

const originals = new WeakMap<object, object>();

/** The value itself, of one that is watched. */
export function unwatched(value: unknown): unknown {
  return typeof value === "object" && value !== null ? (originals.get(value) ?? value) : value;
}

/** Names that are asked of any object: by JSON, by `await`, by what prints it. */
const everybodys = new Set(["toJSON", "then", "inspect", "nodeType", "asymmetricMatch"]);

/** Names by which libraries find out what an object is, a list, a map, a stream: lodash asks each for its `length`. */
const probed = new Set(
  "length size splice next pipe get forEach toArray getTime toBSON _bsontype $$typeof nodeName".split(" "),
);

/** True for a name that other code may have asked for on behalf of a function which does not write it. */
export function isProbed(name: string): boolean {
  return probed.has(name);
}

/**
 * A value like this one, which says what is read of it. Class instances (dates, bytes, maps) are given as they are. What a function changes of it
 * (a list that it sorts) is changed in a copy; of what is frozen nothing can be.
 */
export function watched(
  value: unknown,
  shape: Shape,
  onRead: (read: Read) => void,
  path: readonly string[] = [],
): unknown {
  if (!isPlain(value) && path.length > 0) return value;
  if (typeof value !== "object" || value === null) return value;
  // A proxy of a frozen object would have to give the very values that are in it.
  const proxy = new Proxy(shallowCopy(value), {
    get: (target, name, receiver) => {
      if (typeof name === "symbol") return Reflect.get(target, name, receiver);
      const next = [...path, name];
      if (Object.hasOwn(target, name)) {
        if (!Array.isArray(target)) onRead({ path: next });
        return watched(Reflect.get(target, name), shape?.at(name), onRead, next);
      }
      if (name in target || everybodys.has(name)) return Reflect.get(target, name, receiver);
      const isKnown = shape === undefined || shape.isOpen || shape.names.includes(name) || /^\d+$/.test(name);
      onRead(isKnown ? { path: next } : { path: next, others: shape.names });
      return undefined;
    },
    ownKeys: (target) => {
      onRead({ path, isListing: true });
      return Reflect.ownKeys(target);
    },
    ...(Object.isFrozen(value) && fixed),
  });
  originals.set(proxy, value);
  return proxy;
}

const fixed = { set: () => false, defineProperty: () => false, deleteProperty: () => false };

function shallowCopy(value: object): object {
  return Array.isArray(value) ? [...value] : Object.assign(Object.create(Object.getPrototypeOf(value)), value);
}

/** A copy that nobody watches, for a function that can't do with less: `structuredClone` takes no proxy. */
export function unwatchedCopy(value: unknown, copies: Map<unknown, unknown> = new Map()): unknown {
  const known = copies.get(value);
  if (known !== undefined || typeof value !== "object" || value === null) return known ?? value;
  if (!isPlain(value) && copies.size > 0) return value;
  const copy = shallowCopy(value);
  copies.set(value, copy);
  for (const [name, field] of Object.entries(copy)) Reflect.set(copy, name, unwatchedCopy(field, copies));
  return Object.isFrozen(value) ? Object.freeze(copy) : copy;
}

function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** A function that reads more than this of something unknown has a loop, which would not end. */
const mostReads = 10_000;

/** Stands for a value of which nothing is known: whatever is read of it, or called, is such a value, too. */
export function anything(budget: { readCount: number } = { readCount: 0 }): unknown {
  const spend = (): void => {
    budget.readCount += 1;
    if (budget.readCount > mostReads) throw new TypeError("it does not end");
  };
  const stand = new Proxy(() => {}, {
    get: (_, name) => {
      spend();
      if (name === Symbol.toPrimitive) return () => "x";
      if (name === Symbol.iterator) return () => [][Symbol.iterator]();
      if (typeof name === "symbol" || name === "then") return undefined;
      if (name === "toJSON" || name === "toString") return () => "x";
      if (name === "length") return 0;
      return anything(budget);
    },
    apply: () => {
      spend();
      return anything(budget);
    },
    ownKeys: () => ["prototype"],
  });
  return stand;
}
