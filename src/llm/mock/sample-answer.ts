import { createHash } from "node:crypto";
import { type JSONSchema, asSchema, resolveReference } from "../../json/json-schema.ts";
import { limitsIn } from "../../validation/described-limits.ts";
import type { ChatMessage } from "../../contracts/provider.ts";
import { sampleFormats } from "./sample-formats.ts";

/**
 * Makes plausible answers that are valid for any schema in the strict subset, except that a `pattern` is ignored. Of an enum
 * it chooses the value whose line in the system message shares the most words with the row. It makes text from the row's own
 * sentences. The same messages, schema and seed give the same answer.
 */
export class AnswerSampler {
  readonly #seed: number;
  /** Lines by system message: a step sends the same one for every row, so it is parsed once. */
  readonly #lines = new Map<string, ReadonlyMap<string, ReadonlySet<string>>>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  answer(messages: readonly ChatMessage[], schema: JSONSchema): unknown {
    const system = messages.find(({ role }) => role === "system")?.content ?? "";
    const user = messages.find(({ role }) => role === "user")?.content ?? "";
    const hash = createHash("sha256").update(`${this.#seed}\n`).update(user).digest();
    return new Sampler({ lines: this.#linesOf(system), user, root: schema, hash }).value(schema, "");
  }

  #linesOf(system: string): ReadonlyMap<string, ReadonlySet<string>> {
    const known = this.#lines.get(system);
    if (known !== undefined) return known;
    const lines = linesIn(system);
    if (this.#lines.size >= maxKnownMessages) this.#lines.clear();
    this.#lines.set(system, lines);
    return lines;
  }
}

const maxKnownMessages = 64;
/** In a schema that contains itself, lists below this depth are empty and nullable fields are null. */
const maxDepth = 4;
const maxTextLength = 400;

/** The lines of a list of choices, by the name of each in JSON, with their words. */
type Lines = ReadonlyMap<string, ReadonlySet<string>>;

function linesIn(text: string): Lines {
  const matches = [...text.matchAll(/^- ("(?:[^"\\]|\\.)*"): (.*)$/gm)];
  return new Map(matches.map(([, name = "", rest = ""]) => [name, wordsOf(`${name} ${rest}`)]));
}

class Sampler {
  readonly #lines: Lines;
  readonly #user: string;
  readonly #text: string;
  readonly #root: JSONSchema;
  readonly #hash: Buffer;
  #words: ReadonlySet<string> | undefined;
  #confidence = 0.6;
  #depth = 0;
  /** By the list of choices, those of the items before; undefined outside of a list. */
  #chosen: Map<readonly unknown[], readonly unknown[]> | undefined;
  /** By input, the choices that stand in it, with their lines. */
  readonly #listed = new Map<string, { readonly values: readonly unknown[]; readonly lines: Lines }>();

  constructor({ lines, user, root, hash }: Readonly<{ lines: Lines; user: string; root: JSONSchema; hash: Buffer }>) {
    this.#lines = lines;
    this.#user = user;
    this.#text = textIn(user);
    this.#root = root;
    this.#hash = hash;
  }

  value(schema: JSONSchema, name: string): unknown {
    if (schema.$ref !== undefined) return this.#followed(schema.$ref, name);
    if (schema.enum !== undefined) return this.#choice(schema.enum);
    const alternatives = schema.anyOf?.filter((choice) => typeof choice === "object") ?? [];
    const nothing = alternatives.find(({ type }) => type === "null");
    const something = alternatives.find(({ type }) => type !== "null");
    const alternative = this.#depth >= maxDepth ? (nothing ?? something) : (something ?? nothing);
    if (alternative !== undefined) return this.value(alternative, name);
    const types: readonly unknown[] = Array.isArray(schema.type) ? schema.type : [schema.type];
    if (types.includes("object")) return this.#object(schema);
    if (types.includes("array")) return this.#array(schema, name);
    if (types.includes("boolean")) return this.#byte(name) % 2 === 0;
    if (types.includes("number") || types.includes("integer"))
      return this.#number(schema, name, types.includes("integer"));
    return types.includes("string") ? this.#string(schema, name) : null;
  }

  #followed(reference: string, name: string): unknown {
    this.#depth += 1;
    const value = this.value(resolveReference(reference, this.#root), name);
    this.#depth -= 1;
    return value;
  }

  #object(schema: JSONSchema): unknown {
    const properties = Object.entries(schema.properties ?? {});
    // Choices first: a field named "confidence" says how well the best one fits.
    const ordered = properties.toSorted(([, left], [, right]) => rank(left) - rank(right));
    const values = new Map(ordered.map(([name, child]) => [name, this.value(asSchema(child), name)]));
    return Object.fromEntries(properties.map(([name]) => [name, values.get(name)]));
  }

  #array(schema: JSONSchema, name: string): unknown[] {
    const { minItems = 0, maxItems = 3 } = limitsIn(schema.description);
    const wanted = this.#depth >= maxDepth ? 0 : 1 + (this.#byte(name) % 2);
    const length = Math.min(Math.max(wanted, Number(minItems)), Number(maxItems));
    const items = Array.isArray(schema.items) ? schema.items[0] : schema.items;
    const outer = this.#chosen;
    this.#chosen = new Map();
    const list = Array.from({ length }, (_, index) => this.value(asSchema(items ?? {}), `${name}${index}`));
    this.#chosen = outer;
    return list;
  }

  #number(schema: JSONSchema, name: string, isInteger: boolean): number {
    const { lowest, highest, step } = rangeOf(limitsIn(schema.description), isInteger);
    const share = name === "confidence" ? this.#confidence : (1 + (this.#byte(name) % 98)) / 100;
    const first = Math.ceil(lowest / step);
    const steps = Math.round((Math.floor(highest / step) - first) * share);
    const value = Number(((first + steps) * step).toPrecision(12));
    return value >= lowest && value <= highest ? value : lowest + (highest - lowest) / 2; // a range narrower than a step
  }

  #string(schema: JSONSchema, name: string): string {
    const limits = limitsIn(schema.description);
    if (typeof limits["choiceOf"] === "string") return this.#listedChoice(limits["choiceOf"]);
    const formatted = sampleFormats[String(limits["format"])];
    if (formatted !== undefined) return formatted;
    const { maxLength = Infinity, minLength = 0, maxSentences, mustInclude = [] } = limits;
    const wanted = Array.isArray(mustInclude) ? mustInclude.map(String) : [];
    const whole =
      maxSentences === undefined
        ? sentencesOf(this.#text)
            .slice(0, name === "reasoning" ? 1 : 2)
            .join(" ")
        : countedSentences(this.#text, Number(maxSentences));
    const text = withTexts(whole, wanted, Math.min(Number(maxLength), maxTextLength));
    const filled = text === "" ? "-".repeat(Math.min(1, Number(maxLength))) : text;
    return filled + ".".repeat(Math.max(0, Number(minLength) - [...filled].length)); // Zod counts code points
  }

  /**
   * The value whose line in the system message shares the most words with the row; the hash decides between equals. In a list each item has
   * another value, as long as there are any.
   */
  #choice(values: readonly unknown[], lines: Lines = this.#lines): unknown {
    const all = values.filter((value) => value !== null);
    const chosen = this.#chosen?.get(values) ?? [];
    const left = all.filter((value) => !chosen.includes(value));
    const names = left.length === 0 ? all : left;
    const words = (this.#words ??= wordsOf(this.#text));
    const scores = names.map((name) =>
      overlap(words, lines.get(JSON.stringify(name)) ?? wordsOf(JSON.stringify(name))),
    );
    const best = Math.max(0, ...scores);
    this.#confidence = Math.min(0.97, 0.55 + 0.08 * best);
    const candidates = names.filter((_, index) => scores[index] === best);
    const choice = candidates[this.#byte(String(candidates.length)) % candidates.length] ?? null;
    this.#chosen?.set(values, [...chosen, choice]);
    return choice;
  }

  /** One of the choices that stand in an input of the row. */
  #listedChoice(input: string): string {
    const lines = linesIn(inputIn(this.#user, input));
    const listed = this.#listed.get(input) ?? {
      values: [...lines.keys()].map((name): unknown => JSON.parse(name)),
      lines,
    };
    this.#listed.set(input, listed);
    return listed.values.length === 0 ? "-" : String(this.#choice(listed.values, listed.lines));
  }

  #byte(name: string): number {
    let index = name.length;
    for (const character of name) index = (index * 31 + (character.codePointAt(0) ?? 0)) % this.#hash.length;
    return this.#hash[index] ?? 0;
  }
}

function rank(schema: JSONSchema | boolean): number {
  const isChoice =
    typeof schema === "object" && (schema.enum !== undefined || "choiceOf" in limitsIn(schema.description));
  return isChoice ? 0 : 1;
}

/** The text between the text tags of a user message, or the whole message if it has none. */
function textIn(user: string): string {
  const start = user.lastIndexOf("<text>\n");
  const text = start === -1 ? user : user.slice(start + 7).replace(/\n<\/text>\s*$/, "");
  return text.replaceAll("&lt;", "<");
}

/** The text between the tags of an input; empty where the message has none. */
function inputIn(user: string, name: string): string {
  const [start, end] = [user.indexOf(`<${name}>\n`), user.indexOf(`\n</${name}>`)];
  return user.slice(start + name.length + 3, Math.max(start, end)).replaceAll("&lt;", "<");
}

function wordsOf(text: string): Set<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]{3,}/gu) ?? [];
  return new Set(words.map((word) => word.replace(/(?<=.{3})(?:ing|ed|es|s)$/, "")));
}

function overlap(words: ReadonlySet<string>, others: ReadonlySet<string>): number {
  let count = 0;
  for (const word of others) if (words.has(word)) count += 1;
  return count;
}

function sentencesOf(text: string): string[] {
  const sentences = text
    .slice(0, 4000)
    .replaceAll(/\s+/g, " ")
    .trim()
    .split(/(?<=[.!?])\s+(?=\p{Lu})/u);
  return sentences.filter((sentence) => sentence !== "");
}

const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });

/** The beginning of a text, with at most `maxSentences` sentences, counted as the check of an answer counts them. */
function countedSentences(text: string, maxSentences: number): string {
  const sentences = [...segmenter.segment(text.slice(0, 4000).replaceAll(/\s+/g, " ").trim())];
  return sentences
    .slice(0, maxSentences)
    .map(({ segment }) => segment)
    .join("")
    .trim();
}

/** The text, cut to `maxLength`, preceded by those wanted texts that it does not contain. */
function withTexts(whole: string, wanted: readonly string[], maxLength: number): string {
  const missing: string[] = [];
  for (;;) {
    const start = missing.map((text) => `${text}; `).join("");
    const body = cut(whole, Math.max(0, maxLength - start.length));
    const text = body === "" ? missing.join("; ") : start + body;
    const lower = text.toLowerCase();
    const lost = wanted.filter((part) => !missing.includes(part) && !lower.includes(part.toLowerCase()));
    if (lost.length === 0) return text;
    missing.push(...lost); // they take up room, so the next cut may lose another
  }
}

interface Range {
  readonly lowest: number;
  readonly highest: number;
  readonly step: number;
}

/** The range of numbers that `limits` allow, both ends included, and the step between candidates. */
function rangeOf(limits: Readonly<Record<string, unknown>>, isInteger: boolean): Range {
  const { minimum, exclusiveMinimum, maximum, exclusiveMaximum, multipleOf } = limits;
  const step = Number(multipleOf ?? (isInteger ? 1 : 0.01));
  const room = 100 * step;
  const above = bound(minimum, exclusiveMinimum, Math.max);
  const below = bound(maximum, exclusiveMaximum, Math.min);
  const lowest = above ?? (below === undefined || below > 0 ? 0 : below - room);
  const highest = below ?? lowest + room;
  // An exclusive end moves inwards by one step, or by less if the range is narrower than that.
  const margin = Math.min(step, (highest - lowest) / 4);
  return {
    lowest: lowest === exclusiveMinimum ? lowest + margin : lowest,
    highest: highest === exclusiveMaximum ? highest - margin : highest,
    step,
  };
}

function bound(one: unknown, other: unknown, stricter: (...values: number[]) => number): number | undefined {
  const values = [one, other].filter((value) => typeof value === "number");
  return values.length === 0 ? undefined : stricter(...values);
}

function cut(text: string, maxLength: number): string {
  return text.length <= maxLength
    ? text
    : text
        .slice(0, Math.max(0, maxLength - 1))
        .toWellFormed()
        .trimEnd();
}
