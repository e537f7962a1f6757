import { deflateRawSync } from "node:zlib";
import type { JSONSchema } from "../json/json-schema.ts";
import { replySkeleton } from "./field-lines.ts";
import type { Issue } from "./issues.ts";

/** An answer that ends in so many characters of one unit, which is this long at most, repeats itself. */
const repeatedCharacters = 200;
const longestUnit = 300;

/** A unit is there so often at least; a long one, which may be an item of a list, once more. */
const fewestUnits = 3;
const longUnit = 100;
const fewestLongUnits = 4;

/** A text of so many characters at least says nothing new where its end compresses to under a fifth; prose compresses to about a half. */
const shortestTedious = 600;
const lookedAtForTedium = 1000;
const tediousShare = 0.2;

/** An answer counts if so many numbers at least, within so many characters of its end, go up by one. */
const fewestCounted = 4;
const lookedAtForCounting = 400;

/** The beginning of an answer that is looked at for the schema. */
const echoCharacters = 2000;

/**
 * The flaw of an answer that was cut off, where a longer one would have it, too: it is no beginning of a JSON object, it goes
 * round in circles, or it is the schema. Undefined where it was too short, as far as anybody can tell.
 */
export function cutAnswerFlaw(answer: string, schema: JSONSchema): Issue | undefined {
  if (answer.trim() === "") return undefined; // all tokens went into reasoning that is not shown
  if (repeatsItself(answer) || isTedious(cutIn(answer).openString))
    return { ...looping, path: cutField(answer, schema) };
  const reply = answer.slice(afterThinking(answer));
  if (reply === "") return undefined; // it was still thinking
  if (!/\{\s*(?:"|\}|$)/.test(reply)) return notAnObject;
  return schemaEcho(reply, schema);
}

/** The field of the schema in which an answer was cut off; empty where it was in none. */
export function cutField(answer: string, { properties = {} }: JSONSchema): string {
  const { field } = cutIn(answer);
  return Object.hasOwn(properties, field) ? field : "";
}

/** The issue of an answer that is the schema instead of an object that fits it: small models give it back. */
export function schemaEcho(answer: string, schema: JSONSchema): Issue | undefined {
  const start = answer.indexOf("{");
  const properties = schema.properties ?? {};
  if (start === -1 || Object.hasOwn(properties, "type") || Object.hasOwn(properties, "properties")) return undefined;
  const beginning = answer.slice(start, start + echoCharacters).replaceAll(/\s/g, "");
  if (
    !/^\{"(?:\$schema"|properties":\{|type":"object"|(?:name|title)":"[^"]*",(?:"strict":true,"schema":\{|"type":"object"))/.test(
      beginning,
    )
  )
    return undefined;
  const sentence = "the reply is the JSON Schema itself";
  const reAsk = `you returned the schema; return an object with its fields filled in: ${replySkeleton(schema)}`;
  return { code: "schema-echo", path: "", message: sentence, detail: sentence, reAsk, olderReAsk: null };
}

const looping: Issue = {
  code: "loop",
  path: "",
  message: "the reply repeats itself and was cut off",
  detail: "the reply repeats itself and was cut off",
  reAsk: "do not repeat yourself; keep every field short, one sentence at most where it gives reasons",
};

const notAnObject: Issue = {
  code: "no-object",
  path: "",
  message: "the reply is no beginning of a JSON object and was cut off",
  detail: "the reply is no beginning of a JSON object and was cut off",
  reAsk: "begin with { and write nothing before or after the JSON object",
};

/** True if the end of the text is one unit, again and again, or a unit that does nothing but count. */
function repeatsItself(text: string): boolean {
  return endsInRepetition(text) || (isCounting(text) && endsInRepetition(text.replaceAll(/\d+/g, "0")));
}

/** True if a text has said nothing new for long. */
function isTedious(text: string): boolean {
  const end = Buffer.from(text.slice(-lookedAtForTedium));
  return end.length >= shortestTedious && deflateRawSync(end).length < tediousShare * end.length;
}

/** The place where a JSON object was cut off: the last field that it began, and the string, as far as it goes; each empty where there is none. */
function cutIn(text: string): { readonly field: string; readonly openString: string } {
  let field = "";
  let depth = 0;
  let start: number | undefined;
  let lastString = "";
  for (let at = Math.max(0, text.indexOf("{")); at < text.length; at += 1) {
    const character = text[at] ?? "";
    if (character === "\\") at += 1;
    else if (character === '"') {
      if (start !== undefined) lastString = text.slice(start, at);
      start = start === undefined ? at + 1 : undefined;
    } else if (start === undefined) {
      if (character === "{" || character === "[") depth += 1;
      if (character === "}" || character === "]") depth -= 1;
      if (character === ":" && depth === 1) field = lastString;
    }
  }
  return { field, openString: start === undefined ? "" : text.slice(start) };
}

/** True if the last numbers of a text go up by one. */
function isCounting(text: string): boolean {
  const numbers = (text.slice(-lookedAtForCounting).match(/\d+/g) ?? []).slice(1, -1).map(Number); // both ends may be cut
  return (
    numbers.length >= fewestCounted &&
    numbers.every((number, index) => index === 0 || number === (numbers[index - 1] ?? 0) + 1)
  );
}

function endsInRepetition(text: string): boolean {
  for (let unit = 1; unit <= longestUnit; unit += 1) {
    const length = Math.max(repeatedCharacters, (unit > longUnit ? fewestLongUnits : fewestUnits) * unit);
    if (length > text.length) return false;
    if (text.slice(-length, -unit) === text.slice(-length + unit)) return true;
  }
  return false;
}

/** The end of thinking that a reply begins with: that of the text where it has no end. */
function afterThinking(text: string): number {
  if (!/^\s*<think>/.test(text)) return 0;
  const end = text.indexOf("</think>");
  return end === -1 ? text.length : end + "</think>".length;
}
