import { asSchema, type JSONSchema } from "../json/json-schema.ts";
import { typesOf } from "../json/schema-fields.ts";
import { grammarPattern, mostRepetitions } from "./grammar-pattern.ts";
import { describedWith, limitsIn, ownWordsOf } from "./described-limits.ts";

/** The formats that llama.cpp, and those that took its grammar over, know (its `json-schema-to-grammar`). */
const formats: ReadonlySet<unknown> = new Set(["date", "time", "date-time", "uuid"]);

const repetitions: ReadonlySet<string> = new Set(["minLength", "maxLength", "minItems", "maxItems"]);
const bounds: ReadonlySet<string> = new Set(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]);

/**
 * A strict schema with those of its limits as keywords that a grammar can hold an answer to. The others stay in the description, and an answer is
 * checked against all of them.
 */
export function toGrammarSchema(node: JSONSchema): JSONSchema {
  const { description, $defs, anyOf, items, properties, ...rest } = node;
  const grammar: JSONSchema = { ...rest };
  const left: Record<string, unknown> = {};
  for (const [keyword, limit] of Object.entries(limitsIn(description))) {
    const held = keywordAs(keyword, limit, node);
    if (held === undefined) left[keyword] = limit;
    else grammar[keyword] = held;
  }
  const words = ownWordsOf(description);
  const hasLeft = Object.keys(left).length > 0;
  if (words !== "" || hasLeft) grammar.description = hasLeft ? describedWith(words, left) : words;
  if ($defs !== undefined) grammar.$defs = mapped($defs);
  if (properties !== undefined) grammar.properties = mapped(properties);
  if (anyOf !== undefined) grammar.anyOf = anyOf.map((choice) => toGrammarSchema(asSchema(choice)));
  if (items !== undefined && !Array.isArray(items)) grammar.items = toGrammarSchema(asSchema(items));
  return grammar;
}

/** The value of the keyword for a grammar; undefined where no grammar can hold to it. */
function keywordAs(keyword: string, limit: unknown, node: JSONSchema): unknown {
  if (keyword === "format") return formats.has(limit) ? limit : undefined;
  if (keyword === "pattern") return typeof limit === "string" ? grammarPattern(limit) : undefined;
  if (repetitions.has(keyword)) return Number(limit) <= mostRepetitions ? limit : undefined;
  const isWhole = typesOf(node).every((type) => type === "integer" || type === "null");
  return bounds.has(keyword) && isWhole ? limit : undefined;
}

function mapped(schemas: Readonly<Record<string, JSONSchema | boolean>>): Record<string, JSONSchema> {
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, toGrammarSchema(asSchema(schema))]));
}
