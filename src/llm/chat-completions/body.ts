import type { ChatMessage, LLMRequest, RequestPart } from "../../contracts/provider.ts";
import type { JSONSchema } from "../../json/json-schema.ts";
import { fieldLines, replySkeleton } from "../../validation/field-lines.ts";
import { toGrammarSchema } from "../../validation/grammar-schema.ts";

/**
 * The ways to give a service the schema of the answer. `strict`: as a JSON Schema that the service enforces, in the subset that all
 * such services take. `grammar`: the same with formats, patterns, lengths and bounds, for a server that makes a grammar of it.
 * `json_object`: in the system message, and the service enforces JSON. `none`: in the system message only.
 */
export const schemaDialects = ["strict", "grammar", "json_object", "none"] as const;
export type SchemaDialect = (typeof schemaDialects)[number];

export const reasoningEfforts = ["none", "minimal", "low", "medium", "high", "xhigh"] as const;
export type ReasoningEffort = (typeof reasoningEfforts)[number];

/** A model that reasons before it answers takes no temperature, and its reasoning counts as output. */
export interface Reasoning {
  readonly effort: ReasoningEffort | undefined;
  /** Tokens for the reasoning, added to those of the answer. */
  readonly maxTokens: number;
}

/** The service tiers that a request may ask for. `flex`: half the price, slower, and not always there. `priority`: quicker, at more than the price. */
export const serviceTiers = ["default", "flex", "priority"] as const;
export type ServiceTier = (typeof serviceTiers)[number];

/** The names that the limit of output tokens has. A service takes one of them, or both. */
export type TokenLimitName = "max_completion_tokens" | "max_tokens";

/** The form of the chat completions API that one service takes. */
export interface ChatFormat {
  /** Undefined if the path names the model. */
  readonly model: string | undefined;
  readonly dialect: SchemaDialect;
  /** True if the service does not show the model the schema that it enforces: then the system message describes it. */
  readonly describesSchema: boolean;
  readonly tokenLimit: TokenLimitName;
  readonly takesCacheKey: boolean;
  readonly reasoning: Reasoning | undefined;
  /** Undefined for the service's own choice, which is then left out. */
  readonly tier?: ServiceTier | undefined;
  /** Fields of the user's own. Each takes the place of ours with its name. */
  readonly extraBody?: Readonly<Record<string, unknown>> | undefined;
}

/** The parts of a request that a body of this format leaves out. */
export function omissionsOf({ dialect, reasoning }: Pick<ChatFormat, "dialect" | "reasoning">): readonly RequestPart[] {
  const parts: RequestPart[] = [];
  if (reasoning !== undefined) parts.push("temperature");
  if (!sendsSchema(dialect)) parts.push("schemaName");
  return parts;
}

/** The longest `prompt_cache_key` that OpenAI accepts. */
const maxCacheKeyCharacters = 64;

/** The JSON of the parts of a body that are equal for every row of a step. */
interface StaticParts {
  readonly name: string;
  readonly responseFormat: string;
  system: { readonly content: string; readonly json: string } | undefined;
}

/**
 * Renders requests as bodies of the chat completions API. A step's schema and system message are rendered once: they are
 * the same bytes for every row.
 */
export class ChatBody {
  readonly #format: ChatFormat;
  readonly #parts = new WeakMap<JSONSchema, StaticParts>();
  readonly #extra: readonly (readonly [string, unknown])[];

  constructor(format: ChatFormat) {
    this.#format = format;
    this.#extra = Object.entries(format.extraBody ?? {}).filter(([, value]) => value !== undefined);
  }

  /** `tokenLimit` is the name of the limit of output tokens; without `hasFormat` the field `response_format` is left out. */
  render(request: LLMRequest, tokenLimit: TokenLimitName = this.#format.tokenLimit, hasFormat = true): string {
    const { model, takesCacheKey, reasoning } = this.#format;
    const { maxOutputTokens, lengthFactor, temperature, cacheKey, tier = this.#format.tier } = request;
    const parts = this.#partsOf(request.schema);
    const fields = [`"messages":[${this.#messages(request, parts)}]`];
    if (hasFormat && parts.responseFormat !== "") fields.push(`"response_format":${parts.responseFormat}`);
    const add = (name: string, json: string): void => {
      if (this.#extra.length === 0 || !this.#isReplaced(name)) fields.push(`"${name}":${json}`);
    };
    if (model !== undefined) add("model", JSON.stringify(model));
    add(tokenLimit, String(tokenLimitOf(maxOutputTokens, lengthFactor, reasoning)));
    if (reasoning === undefined && temperature !== undefined) add("temperature", String(temperature));
    if (reasoning?.effort !== undefined) add("reasoning_effort", `"${reasoning.effort}"`);
    if (takesCacheKey) {
      add("prompt_cache_key", JSON.stringify(cacheKey.slice(-maxCacheKeyCharacters).toWellFormed()));
    }
    if (tier !== undefined) add("service_tier", `"${tier}"`);
    for (const [name, value] of this.#extra) fields.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
    return `{${fields.join(",")}}`;
  }

  /** A limit of output tokens is replaced by one under either name. */
  #isReplaced(name: string): boolean {
    const names = name.startsWith("max_") ? ["max_completion_tokens", "max_tokens"] : [name];
    return this.#extra.some(([extra]) => names.includes(extra));
  }

  #partsOf({ name, json }: LLMRequest["schema"]): StaticParts {
    const known = this.#parts.get(json);
    if (known?.name === name) return known;
    const { dialect } = this.#format;
    const strict = { type: "json_schema", json_schema: { name, strict: true, schema: schemaAs(dialect, json) } };
    const format = sendsSchema(dialect) ? strict : { type: "json_object" };
    const parts = {
      name,
      responseFormat: dialect === "none" ? "" : JSON.stringify(format),
      system: undefined,
    };
    this.#parts.set(json, parts);
    return parts;
  }

  #messages({ messages, schema }: LLMRequest, parts: StaticParts): string {
    const [first, ...others] = messages;
    const isSystem = first?.role === "system";
    const content = isSystem ? first.content : "";
    if (parts.system?.content !== content) {
      const whole = [content, schemaText(schema.json, content, this.#format)]
        .filter((part) => part !== "")
        .join("\n\n");
      parts.system = { content, json: whole === "" && !isSystem ? "" : jsonOf({ role: "system", content: whole }) };
    }
    const rest = (isSystem ? others : messages).map(jsonOf);
    return (parts.system.json === "" ? rest : [parts.system.json, ...rest]).join(",");
  }
}

/** True if the schema is sent as one, and not as a part of the system message. */
export function sendsSchema(dialect: SchemaDialect): boolean {
  return dialect === "strict" || dialect === "grammar";
}

/** The schema in the form of the dialect. */
export function schemaAs(dialect: SchemaDialect, schema: JSONSchema): JSONSchema {
  return dialect === "grammar" ? toGrammarSchema(schema) : schema;
}

/** The limit of output tokens: those of the answer and those of the reasoning before it. */
export function tokenLimitOf(maxOutputTokens: number, lengthFactor = 1, reasoning?: Reasoning): number {
  return maxOutputTokens + (reasoning?.maxTokens ?? 0) * lengthFactor;
}

/** The messages with the schema in the system message, for a service that takes no schema otherwise. */
export function messagesWithSchema({ messages, schema }: LLMRequest): readonly ChatMessage[] {
  const text = schemaText(schema.json, "", { dialect: "none", describesSchema: false });
  const [first, ...others] = messages;
  if (first?.role !== "system") return [{ role: "system", content: text }, ...messages];
  return [{ ...first, content: `${first.content}\n\n${text}` }, ...others];
}

/** The text about the schema behind a system message; empty where the service shows the model the schema. */
function schemaText(
  schema: JSONSchema,
  systemMessage: string,
  { dialect, describesSchema }: Pick<ChatFormat, "dialect" | "describesSchema">,
): string {
  if (sendsSchema(dialect)) return describesSchema ? fieldLines(schema, systemMessage) : "";
  const whole = `The JSON Schema of the reply:\n${JSON.stringify(schema)}`;
  return describesSchema ? `${whole}\n\nA reply has this form:\n${replySkeleton(schema)}` : whole;
}

function jsonOf({ role, content }: ChatMessage): string {
  return `{"role":"${role}","content":${JSON.stringify(content)}}`;
}
