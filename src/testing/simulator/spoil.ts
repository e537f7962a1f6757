import type { JSONSchema } from "../../json/json-schema.ts";
import { limitsIn } from "../../validation/described-limits.ts";
import type { Draws } from "./request-hash.ts";

/** A value in an answer, with its schema. */
export interface Place {
  readonly schema: JSONSchema;
  readonly value: unknown;
  readonly set: (value: unknown) => void;
}

/** The single values of an answer, in its order. `answer` was sampled from `schema`. */
export function placesIn(answer: unknown, schema: JSONSchema): readonly Place[] {
  const places: Place[] = [];
  collect(answer, schema, schema, () => undefined, places);
  return places;
}

/**
 * Puts a value beyond its limits into an answer: a number, else a text that is too long, else a value of the wrong type.
 * Other draws give other values: a re-ask gets an answer that is wrong in another way.
 */
export function putOutOfRange(answer: unknown, schema: JSONSchema, draws: Draws): void {
  const places = placesIn(answer, schema);
  const beyond = places.filter(({ value, schema: { description } }) => {
    const limits = limitsIn(description);
    return typeof value === "number" && [limits["minimum"], limits["maximum"]].some(Number.isFinite);
  });
  const bounded = places.filter(
    ({ value, schema: { description } }) =>
      typeof value === "string" && Number.isFinite(limitsIn(description)["maxLength"]),
  );
  const place = choose(beyond, draws) ?? choose(bounded, draws);
  if (place === undefined) return putWrongType(places, draws);
  const { minimum, maximum, maxLength } = limitsIn(place.schema.description);
  const excess = 1 + Math.floor(draws.share(5) * 1_000_000);
  if (typeof place.value === "string") {
    place.set(place.value.padEnd(Number(maxLength) + 1 + (excess % 500), " and so on"));
  } else {
    place.set(maximum === undefined ? Number(minimum) - excess : Number(maximum) + excess);
  }
}

/** Puts a value that its enum lacks into an answer; without an enum, a value of the wrong type. */
export function putOutOfEnum(answer: unknown, schema: JSONSchema, draws: Draws): void {
  const places = placesIn(answer, schema);
  const place = choose(
    places.filter((candidate) => candidate.schema.enum !== undefined),
    draws,
  );
  if (place === undefined) return putWrongType(places, draws);
  const known = new Set<unknown>(place.schema.enum);
  let other = `${String(place.value)} ${1 + Math.floor(draws.share(5) * 1_000_000)}`;
  while (known.has(other)) other += "x";
  place.set(other);
}

/**
 * Cuts a JSON text at a position that a parser can name (`JSON.parse` names none if a value is missing). The result is never
 * `seen`, the answer before: that would be the same mistake twice.
 */
export function cutJSON(text: string, draws: Draws, seen: string | undefined): string {
  const room = Math.max(1, text.length - 1);
  const start = Math.floor(draws.share(3) * room);
  for (let turn = 0; turn < room; turn += 1) {
    const cut = text.slice(0, 1 + ((start + turn) % room)).toWellFormed();
    if (cut !== seen && breaksOffSomewhere(cut)) return cut;
  }
  return text.slice(0, 1 + start);
}

/**
 * Cuts a JSON text in its last string, at the same position each time, so that a parser finds the same mistake. The letter
 * before the cut differs with `turn`, from 0 up.
 */
export function cutInText(text: string, turn: number): string {
  const inside = text.lastIndexOf('"', text.lastIndexOf('"') - 1) + 1;
  return text.slice(0, inside) + String.fromCodePoint("a".charCodeAt(0) + (turn % 26));
}

function breaksOffSomewhere(text: string): boolean {
  try {
    JSON.parse(text);
    return false; // a number that is whole at this position
  } catch (error) {
    return error instanceof Error && error.message.includes("at position");
  }
}

function collect(value: unknown, node: JSONSchema, root: JSONSchema, set: Place["set"], places: Place[]): void {
  const schema = resolved(value, node, root);
  if (Array.isArray(value)) {
    const items: unknown[] = value;
    for (const [index, item] of items.entries()) {
      collect(item, asSchema(schema.items), root, (other) => (items[index] = other), places);
    }
  } else if (typeof value === "object" && value !== null) {
    const fields = value as Record<string, unknown>; // an object of JSON has names and values
    for (const [name, field] of Object.entries(fields)) {
      collect(field, asSchema(schema.properties?.[name]), root, (other) => (fields[name] = other), places);
    }
  } else {
    places.push({ schema, value, set });
  }
}

/** The schema of `value`: it follows references, and of alternatives it takes the sampler's. */
function resolved(value: unknown, node: JSONSchema, root: JSONSchema): JSONSchema {
  let schema = node;
  for (let turn = 0; turn < maxTurns; turn += 1) {
    const { $ref: reference, anyOf } = schema;
    if (reference !== undefined) {
      schema = reference === "#" ? root : asSchema(root.$defs?.[reference.replace("#/$defs/", "")]);
    } else if (anyOf === undefined) {
      return schema;
    } else {
      const choices = anyOf.map((choice) => asSchema(choice));
      schema = choices.find(({ type }) => (type === "null") === (value === null)) ?? {};
    }
  }
  return schema;
}

const maxTurns = 20;

function putWrongType(places: readonly Place[], draws: Draws): void {
  const place = choose(places, draws);
  const number = Math.floor(draws.share(5) * 1_000_000);
  place?.set(typeof place.value === "number" ? `number ${number}` : number);
}

function choose(places: readonly Place[], draws: Draws): Place | undefined {
  return places[Math.floor(draws.share(4) * places.length)];
}

/** JSON Schema allows `true` and `false` as schemas too, and a list of schemas for the items of an array. */
function asSchema(schema: JSONSchema["items"]): JSONSchema {
  if (Array.isArray(schema)) return asSchema(schema[0]);
  return typeof schema === "object" ? schema : {};
}
