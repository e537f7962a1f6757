import { hash } from "node:crypto";
import type { JSONSchema } from "../../json/json-schema.ts";
import type { LLMProvider, LLMRequest } from "../../contracts/provider.ts";
import type { OlderRequest } from "./row-call.ts";

/** The key of a request's answer, and behind it the keys under which earlier versions stored the same answer. */
export type AnswerKeys = readonly [key: string, ...older: string[]];

/**
 * Fingerprints of requests: the SHA-256, in hexadecimal digits, of all that can change its answer: who is asked (the
 * provider's own fingerprint), every message, the schema and its name, the temperature, and how long the answer may be.
 * The cache key is none of that, nor is what the provider does not send.
 */
export class Fingerprints {
  // What is one and the same for all rows is asked for and hashed once.
  readonly #providers = new WeakMap<LLMProvider, { readonly now: string; readonly former: string }>();
  readonly #beginnings = new WeakMap<JSONSchema, { readonly content: string; readonly digest: string }>();

  /**
   * Version 0.1 had in its keys all of a request, sent or not, and made some re-asks otherwise: `olderRequests` are what it may have had
   * instead, where that differs.
   */
  keysOf(provider: LLMProvider, request: LLMRequest, olderRequests: readonly OlderRequest[] = []): AnswerKeys {
    const { omits = [] } = provider;
    const { schema, temperature = null } = request;
    const schemaName = omits.includes("schemaName") ? null : schema.name;
    const { now, former } = this.#askedOf(provider);
    const key = this.#digest(now, request, [schemaName, omits.includes("temperature") ? null : temperature]);
    if (omits.length === 0 && olderRequests.length === 0 && former === now) return [key];
    const variants = olderRequests.length === 0 ? [request] : olderRequests;
    const older = variants.map(({ messages, maxOutputTokens, lengthFactor }) => {
      const whole = { ...request, messages, maxOutputTokens, lengthFactor };
      return this.#digest(former, whole, [schema.name, temperature]);
    });
    return [key, ...new Set(older.filter((one) => one !== key))];
  }

  #askedOf(provider: LLMProvider): { readonly now: string; readonly former: string } {
    const known = this.#providers.get(provider);
    if (known !== undefined) return known;
    const now = provider.fingerprint();
    const asked = { now, former: provider.former?.()?.fingerprint ?? now };
    this.#providers.set(provider, asked);
    return asked;
  }

  #digest(asked: string, request: LLMRequest, settings: readonly (string | number | null)[]): string {
    const { messages, schema, maxOutputTokens, lengthFactor } = request;
    const [first, ...others] = messages;
    const beginning = this.#beginningOf(schema.json, first?.content ?? "");
    const rest = others.map(({ role, content }) => [role, content]);
    return digestOf([asked, [...settings, maxOutputTokens, lengthFactor ?? 1], first?.role ?? null, beginning, rest]);
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
