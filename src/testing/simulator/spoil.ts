import type { JSONSchema } from "../../json/json-schema.ts";
import { limitsIn } from "../../validation/strict-schema.ts";
import type { Draws } from "./request-hash.ts";

/** A value within an answer, and what its schema says of it. */
export interface Place {
  readonly schema: JSONSchema;
  readonly value: unknown;
  readonly set: (value: unknown) => void;
}

/** The places of an answer that hold a single value, in the answer's order. The answer is sampled from the schema. */
export function placesIn(answer: unknown, schema: JSONSchema): readonly Place[] {
  const places: Place[] = [];
  collect(answer, schema, schema, () => undefined, places);
  return places;
}

/**
 * Puts a value beyond its limits into an answer: a number, else a text that is too long, else a value of the wrong type.
 * Other draws give other values, so that an answer that is asked for again is wrong in another way.
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

/** Puts a value into an answer that its enum does not have; where there is no enum, one of the wrong type. */
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
 * The beginning of a JSON text, cut so that a parser can say where it breaks off (`JSON.parse` does not at a place where
 * a value is missing), and never one that the conversation has seen, which would be the same mistake twice.
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

function breaksOffSomewhere(text: string): boolean {
  try {
    JSON.parse(text);
    return false; // a number or a bare text that is whole at this place
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
    const fields = value as Record<string, unknown>; // an object that JSON can say has names and values
    for (const [name, field] of Object.entries(fields)) {
      collect(field, asSchema(schema.properties?.[name]), root, (other) => (fields[name] = other), places);
    }
  } else {
    places.push({ schema, value, set });
  }
}

/** The schema itself, behind references and, of alternatives, the one that the sampler takes. */
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

/** JSON Schema also allows `true` and `false` as schemas, and a list of them for the items of an array. */
function asSchema(schema: JSONSchema["items"]): JSONSchema {
  if (Array.isArray(schema)) return asSchema(schema[0]);
  return typeof schema === "object" ? schema : {};
}
