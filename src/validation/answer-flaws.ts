import type { JSONSchema } from "../json/json-schema.ts";
import { replySkeleton } from "./field-lines.ts";
import type { Issue } from "./issues.ts";

/** An answer that ends in so many characters of one unit, which is this long at most and there three times at least, repeats itself. */
const repeatedCharacters = 200;
const longestUnit = 100;
const fewestUnits = 3;

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
  if (repeatsItself(answer)) return looping;
  const reply = answer.slice(afterThinking(answer));
  if (reply === "") return undefined; // it was still thinking
  if (!/\{\s*(?:"|\}|$)/.test(reply)) return notAnObject;
  return schemaEcho(reply, schema);
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
  reAsk:
    "the reply repeated itself without an end; keep every field short, one sentence at most where it gives reasons",
};

const notAnObject: Issue = {
  code: "no-object",
  path: "",
  message: "the reply is no beginning of a JSON object and was cut off",
  detail: "the reply is no beginning of a JSON object and was cut off",
  reAsk: "the reply did not begin a JSON object; begin with { and write nothing before or after the object",
};

/** True if the end of the text is one unit, again and again, or a unit that does nothing but count. */
function repeatsItself(text: string): boolean {
  return endsInRepetition(text) || (isCounting(text) && endsInRepetition(text.replaceAll(/\d+/g, "0")));
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
    const length = Math.max(repeatedCharacters, fewestUnits * unit);
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
