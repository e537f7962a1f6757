import { hash } from "node:crypto";
import type { JSONSchema } from "../../json/json-schema.ts";
import type { LLMProvider, LLMRequest } from "../../contracts/provider.ts";

/**
 * Fingerprints of requests: the SHA-256, in hexadecimal digits, of all that can change its answer: who is asked (the
 * provider's own fingerprint), every message, the schema and its name, the temperature, and how long the answer may be.
 * The cache key is none of that.
 */
export class Fingerprints {
  // What is one and the same for all rows is asked for and hashed once.
  readonly #providers = new WeakMap<LLMProvider, string>();
  readonly #beginnings = new WeakMap<JSONSchema, { readonly content: string; readonly digest: string }>();

  of(provider: LLMProvider, { messages, schema, temperature, maxOutputTokens, lengthFactor }: LLMRequest): string {
    const asked = this.#providers.get(provider) ?? provider.fingerprint();
    this.#providers.set(provider, asked);
    const [first, ...others] = messages;
    const beginning = this.#beginningOf(schema.json, first?.content ?? "");
    const settings = [schema.name, temperature ?? null, maxOutputTokens, lengthFactor ?? 1];
    const rest = others.map(({ role, content }) => [role, content]);
    return digestOf([asked, settings, first?.role ?? null, beginning, rest]);
  }

  /** Of the schema and the first message: equal for every row of a step. */
  #beginningOf(schema: JSONSchema, content: string): string {
    const known = this.#beginnings.get(schema);
    if (known?.content === content) return known.digest;
    const digest = digestOf([schema, content]);
    this.#beginnings.set(schema, { content, digest });
    return digest;
  }
}

function digestOf(value: unknown): string {
  return hash("sha256", JSON.stringify(value), "hex");
}
