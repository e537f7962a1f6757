import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { SchemaError } from "../../src/errors/option.ts";
import { AnswerSampler } from "../../src/llm/mock/sample-answer.ts";
import { limitsIn } from "../../src/validation/described-limits.ts";
import { isObjectSchema, toStrictSchema } from "../../src/validation/strict-schema.ts";
import { failsWith } from "../support/error-facts.ts";
import { randomSchema } from "../support/random-schema.ts";

const allowed = new Set([
  "type",
  "properties",
  "required",
  "additionalProperties",
  "items",
  "anyOf",
  "enum",
  "description",
  "$ref",
  "$defs",
]);
const Unknowns = z.record(z.string(), z.unknown());

/** Rejects a schema that is not closed, lacks a required field or has a keyword that the subset does not know. */
function assertStrict(value: unknown): void {
  const node = Unknowns.parse(value);
  for (const keyword of Object.keys(node)) assert.ok(allowed.has(keyword), keyword);
  assert.ok(
    node["type"] !== undefined || node["anyOf"] !== undefined || node["$ref"] !== undefined,
    JSON.stringify(node),
  );
  if (node["type"] === "object" || (Array.isArray(node["type"]) && node["type"].includes("object"))) {
    assert.equal(node["additionalProperties"], false);
    assert.deepEqual(node["required"], Object.keys(Unknowns.parse(node["properties"])));
  }
  for (const child of Object.values(Unknowns.parse(node["properties"] ?? {}))) assertStrict(child);
  for (const child of Object.values(Unknowns.parse(node["$defs"] ?? {}))) assertStrict(child);
  for (const child of z.array(z.unknown()).parse(node["anyOf"] ?? [])) assertStrict(child);
  if (node["items"] !== undefined) assertStrict(node["items"]);
}

test("a step's schema becomes a closed object with every field required, in the order in which they stand", () => {
  const schema = z.object({
    reasoning: z.string().describe("Why"),
    category: z.enum(["A", "B"]),
    confidence: z.number().min(0).max(1).describe("How sure"),
  });
  assert.equal(
    JSON.stringify(toStrictSchema(schema).json),
    '{"type":"object","properties":{"reasoning":{"type":"string","description":"Why"},' +
      '"category":{"type":"string","enum":["A","B"]},' +
      '"confidence":{"type":"number","description":"How sure Limits: {\\"minimum\\":0,\\"maximum\\":1}"}},' +
      '"required":["reasoning","category","confidence"],"additionalProperties":false}',
  );
});

test("an optional field becomes one that may be null, whatever its kind", () => {
  const Shared = z.object({ a: z.string() }).meta({ id: "Shared" });
  const schema = z.object({
    text: z.string().optional(),
    choice: z.enum(["A"]).optional(),
    only: z.literal("x").optional(),
    mixed: z.literal(["x", 1]).optional(),
    list: z.array(z.string()).optional(),
    either: z.union([z.string(), z.number()]).optional(),
    nullable: z.string().nullable().optional(),
    shared: Shared.optional(),
    standard: z.string().default("s"),
  });
  const { json } = toStrictSchema(schema);
  assert.deepEqual(json.properties, {
    text: { type: ["string", "null"] },
    choice: { type: ["string", "null"], enum: ["A", null] },
    only: { type: ["string", "null"], enum: ["x", null] },
    mixed: { type: ["string", "number", "null"], enum: ["x", 1, null] },
    list: { type: ["array", "null"], items: { type: "string" } },
    either: { type: ["string", "number", "null"] },
    nullable: { type: ["string", "null"] },
    shared: { anyOf: [{ $ref: "#/$defs/Shared" }, { type: "null" }] },
    standard: { type: ["string", "null"] },
  });
  assertStrict(json);
});

test("limits that the subset has no keyword for stand in the description, and can be read from it", () => {
  const { json } = toStrictSchema(z.object({ text: z.string().min(2).max(5).describe("A text") }));
  const text = Unknowns.parse(json.properties?.["text"]);
  assert.equal(text["description"], 'A text Limits: {"minLength":2,"maxLength":5}');
  assert.deepEqual(limitsIn(z.string().parse(text["description"])), { minLength: 2, maxLength: 5 });
});

test("a keyword that Zod adds by itself is no limit: the range of safe integers, the pattern of a format", () => {
  const { json } = toStrictSchema(z.object({ n: z.int(), day: z.iso.date() }));
  assert.deepEqual(json.properties, {
    n: { type: "integer" },
    day: { type: "string", description: 'Limits: {"format":"date"}' },
  });
});

test("somebody's own sentence about limits is no limit", () => {
  assert.deepEqual(limitsIn("Limits: none that I know of"), {});
  assert.deepEqual(limitsIn("Limits: 5"), {});
  assert.deepEqual(limitsIn("nothing"), {});
  assert.deepEqual(limitsIn(), {});
});

test("a schema with an id is the object itself at its root, not a reference to it", () => {
  const { json, undoNulls } = toStrictSchema(z.object({ a: z.string().optional() }).meta({ id: "Root" }));
  assert.equal(json.type, "object");
  assert.equal(json.$ref, undefined);
  assert.deepEqual(undoNulls({ a: null }), {});
  assertStrict(json);
});

test("a schema that contains itself keeps its references", () => {
  const Tree = z.object({
    name: z.string().optional(),
    get children() {
      return z.array(Tree);
    },
  });
  const { json, undoNulls } = toStrictSchema(Tree);
  assertStrict(json);
  assert.deepEqual(undoNulls({ name: null, children: [{ name: null, children: [] }] }), {
    children: [{ children: [] }],
  });
});

describe("a type that no model can be asked for is rejected, with its path", () => {
  const shared = z.string();
  const unnamed = "unnamed fields";
  const cases: readonly (readonly [string, z.ZodObject, where: string, type: string])[] = [
    ["any", z.object({ a: z.any() }), "a", "z.any()"],
    ["unknown, in a list", z.object({ a: z.object({ b: z.array(z.unknown()) }) }), "a.b[]", "z.unknown()"],
    ["record", z.object({ a: z.record(z.string(), z.string()) }), "a", unnamed],
    ["tuple", z.object({ a: z.tuple([z.string()]) }), "a", "z.tuple()"],
    ["date", z.object({ a: z.date() }), "a", "z.date()"],
    ["bigint", z.object({ a: z.bigint() }), "a", "z.bigint()"],
    ["map", z.object({ a: z.map(z.string(), z.string()) }), "a", "z.map()"],
    ["set", z.object({ a: z.set(z.string()) }), "a", "z.set()"],
    [
      "intersection",
      z.object({ a: z.intersection(z.object({ b: z.string() }), z.object({ c: z.string() })) }),
      ...(["a", "z.intersection()"] as const),
    ],
    ["never", z.object({ a: z.never() }), "a", "z.never()"],
    ["undefined", z.object({ a: z.string().or(z.undefined()) }), "a", "z.undefined()"],
    ["custom", z.object({ a: z.custom<string>(() => true) }), "a", "z.custom()"],
    ["open object at the root", z.looseObject({ a: z.string() }), "", unnamed],
    ["open object", z.object({ a: z.object({}).catchall(z.string()) }), "a", unnamed],
    ["open object of a type used elsewhere", z.object({ b: shared, a: z.object({}).catchall(shared) }), "a", unnamed],
    ["no type", z.object({ a: z.json() }), "a", "z.record()"],
  ];
  for (const [name, schema, where, type] of cases) {
    test(name, () => {
      assert.throws(
        () => toStrictSchema(schema),
        (error) =>
          failsWith("SCHEMA_NOT_SUPPORTED", { where, type })(error) &&
          error instanceof SchemaError &&
          error.path === where &&
          typeof error.facts.hint === "string",
      );
    });
  }
});

test("a type that is made into another is asked for as what the model can fill in", () => {
  const schema = z.object({
    n: z.string().transform(Number),
    yes: z.stringbool(),
    day: z.preprocess(String, z.string()),
  });
  const { json } = toStrictSchema(schema);
  assert.deepEqual(json.properties, { n: { type: "string" }, yes: { type: "string" }, day: { type: "string" } });
});

test("a schema that is too large is rejected: fields, nesting, values of enums", () => {
  const fields = (count: number): z.ZodObject =>
    z.object(Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, z.string()])));
  assert.doesNotThrow(() => toStrictSchema(fields(100)));
  const tooLarge = (where: string, expected: string, got: number | string) =>
    failsWith("SCHEMA_NOT_SUPPORTED", { where, expected, got });
  assert.throws(() => toStrictSchema(fields(101)), tooLarge("", "at most 100", 101));
  const values = (count: number, length: number): z.ZodObject =>
    z.object({ a: z.enum(Array.from({ length: count }, (_, index) => `${index}`.padStart(length, "0"))) });
  assert.doesNotThrow(() => toStrictSchema(values(1000, 4)));
  assert.throws(() => toStrictSchema(values(1001, 4)), tooLarge("", "at most 1000", 1001));
  assert.throws(() => toStrictSchema(values(251, 80)), tooLarge("a", "at most 15000 characters", 251 * 80));
  let deep = z.object({ a: z.string() });
  for (let level = 1; level < 5; level += 1) deep = z.object({ a: deep }) as unknown as typeof deep; // its depth is the point
  assert.doesNotThrow(() => toStrictSchema(deep));
  assert.throws(() => toStrictSchema(z.object({ top: deep })), tooLarge("top.a.a.a.a", "at most 5 levels", "more"));
});

test("nulls that stand for absent fields are taken out, and nulls that are meant stay", () => {
  const schema = z.object({
    absent: z.string().optional(),
    meant: z.string().nullable(),
    both: z.string().nullish(),
    list: z.array(z.object({ absent: z.int().optional() })),
    standard: z.string().default("s"),
  });
  const answer = { absent: null, meant: null, both: null, list: [{ absent: null }, { absent: 1 }], standard: null };
  const undone = toStrictSchema(schema).undoNulls(answer);
  assert.deepEqual(undone, { meant: null, both: null, list: [{}, { absent: 1 }] });
  assert.deepEqual(schema.parse(undone), { meant: null, both: null, list: [{}, { absent: 1 }], standard: "s" });
});

test("in a union the alternative that an answer has the fields of is the one that is undone", () => {
  const one = z.object({ kind: z.literal("one"), a: z.string().optional() });
  const other = z.object({ kind: z.literal("other"), b: z.string().optional() });
  const tagged = toStrictSchema(z.object({ value: z.discriminatedUnion("kind", [one, other]) }));
  assert.deepEqual(tagged.undoNulls({ value: { kind: "other", b: null } }), { value: { kind: "other" } });
  const untagged = z.object({
    value: z.union([
      z.string(),
      z.object({ a: z.string().optional() }),
      z.object({ b: z.string(), c: z.string().optional() }),
    ]),
  });
  const { undoNulls } = toStrictSchema(untagged);
  assert.deepEqual(undoNulls({ value: { b: "x", c: null } }), { value: { b: "x" } });
  assert.deepEqual(undoNulls({ value: { a: null } }), { value: {} });
  assert.deepEqual(undoNulls({ value: "text" }), { value: "text" });
});

test("an answer that does not fit at all comes through as it is, for Zod to reject", () => {
  const { undoNulls } = toStrictSchema(
    z.object({ a: z.array(z.string()).optional(), b: z.union([z.string(), z.number()]) }),
  );
  for (const answer of [null, 1, "text", [], [1, null], { a: "text", unknown: null, b: [null] }, { constructor: 1 }]) {
    assert.deepEqual(undoNulls(answer), answer);
  }
});

test("a Zod object schema is distinguished from other things", () => {
  assert.ok(isObjectSchema.fits(z.object({})));
  assert.ok(isObjectSchema.fits(z.strictObject({}).refine(() => true)));
  for (const value of [{}, null, z.string(), z.union([z.object({}), z.object({})]), "schema"])
    assert.ok(!isObjectSchema.fits(value));
});

test("any schema becomes strict, and a sampled answer with its nulls undone is valid for the schema itself", () => {
  fc.assert(
    fc.property(randomSchema(), fc.string({ unit: "grapheme", maxLength: 300 }), fc.nat(), (schema, text, seed) => {
      const { json, undoNulls } = toStrictSchema(schema);
      assertStrict(json);
      const answer = new AnswerSampler(seed).answer([{ role: "user", content: text }], json);
      const { error } = schema.safeParse(undoNulls(answer));
      assert.equal(error, undefined, JSON.stringify([json, answer, error]));
    }),
    { numRuns: 300, seed: 6 },
  );
});

test("undoing nulls changes nothing but nulls, is the same twice, and leaves the answer as it was", () => {
  fc.assert(
    fc.property(randomSchema(), fc.json({ maxDepth: 3 }), (schema, text) => {
      const { undoNulls } = toStrictSchema(schema);
      const answer: unknown = JSON.parse(text);
      const undone = undoNulls(answer);
      assert.deepEqual(undoNulls(undone), undone);
      assert.equal(JSON.stringify(answer), JSON.stringify(JSON.parse(text)));
    }),
    { numRuns: 200, seed: 7 },
  );
});
