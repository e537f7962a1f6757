import { messageOf } from "../../errors/error-text.ts";
import type { JSONSchema } from "../../json/json-schema.ts";
import { keyOf } from "./request-hash.ts";
import { toSampleable } from "./sampleable-schema.ts";
import { strictProblem } from "./strict-check.ts";

export interface SchemaEntry {
  readonly key: number;
  /** The reason why the schema is not in the strict subset; undefined if it is. */
  readonly strictProblem: string | undefined;
  /** The reason why the value is not a schema; undefined if it is one. */
  readonly problem: string | undefined;
  readonly schema: JSONSchema;
}

/** The known schemas. Every row of a step sends the same one, so it is checked and prepared once. */
export class SchemaBook {
  readonly #entries = new Map<string, SchemaEntry>();
  readonly #texts = new Map<string, JSONSchema | undefined>();

  /** The entry of a schema; `text` is its JSON. */
  entry(text: string, schema: unknown): SchemaEntry {
    const known = this.#entries.get(text);
    if (known !== undefined) return known;
    if (this.#entries.size >= maxKnown) this.#entries.clear();
    const entry = { key: keyOf(text), ...examined(schema) };
    this.#entries.set(text, entry);
    return entry;
  }

  /** The schema that a text holds; undefined if it holds none. */
  parsed(text: string): JSONSchema | undefined {
    if (this.#texts.has(text)) return this.#texts.get(text);
    if (this.#texts.size >= maxKnown) this.#texts.clear();
    const schema = parse(text);
    this.#texts.set(text, schema);
    return schema;
  }
}

const maxKnown = 256;

function examined(schema: unknown): Omit<SchemaEntry, "key"> {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    return { strictProblem: undefined, problem: "is not an object", schema: {} };
  }
  try {
    const sampleable = toSampleable(schema); // first, because it rejects a schema that is nested too deep for the other
    return { strictProblem: strictProblem(schema), problem: undefined, schema: sampleable };
  } catch (error) {
    return { strictProblem: undefined, problem: messageOf(error), schema: {} };
  }
}

function parse(text: string): JSONSchema | undefined {
  try {
    const schema: unknown = JSON.parse(text);
    const { problem, schema: sampleable } = examined(schema);
    return problem === undefined ? sampleable : undefined;
  } catch {
    return undefined; // other text in somebody's own prompt
  }
}
