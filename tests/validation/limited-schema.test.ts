import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import type { FieldLimit } from "../../src/contracts/step.ts";
import { LimitedSchemas, violationsOf } from "../../src/validation/limited-schema.ts";
import { limitsIn } from "../../src/validation/described-limits.ts";
import { toStrictSchema } from "../../src/validation/strict-schema.ts";

const schema = z.object({
  text: z.string().max(300).describe("The summary"),
  free: z.string().describe("Anything"),
  score: z.number().min(0).max(1),
  kind: z.enum(["a", "b"]),
  part: z.object({ of: z.string() }),
});
const { json } = toStrictSchema(schema);

function limit(path: string, words: FieldLimit["schema"], problem?: string): FieldLimit {
  const problemOf = () => (problem === undefined ? undefined : { message: problem, detail: problem });
  return { path: path.split("."), column: path, schema: words, problemOf };
}

function described(limits: readonly FieldLimit[], field: string): unknown {
  const made = new LimitedSchemas(json).get(limits)?.properties?.[field];
  return typeof made === "object" ? made.description : undefined;
}

test("a column's limit is added to the field's description; of two limits the tighter one counts", () => {
  assert.equal(described([limit("free", { maxLength: 500 })], "free"), 'Anything Limits: {"maxLength":500}');
  assert.equal(described([limit("text", { maxLength: 100 })], "text"), 'The summary Limits: {"maxLength":100}');
  assert.equal(described([limit("text", { maxLength: 500 })], "text"), 'The summary Limits: {"maxLength":300}');
  const score = String(described([limit("score", { minimum: -9.99, maximum: 9.99 })], "score"));
  assert.deepEqual(limitsIn(score), { minimum: 0, maximum: 1 });
  const both = [limit("free", { maxLength: 50 }), limit("free", { maxLength: 20 })];
  assert.equal(described(both, "free"), 'Anything Limits: {"maxLength":20}');
});

test("other fields, choices and the schema itself stay as they are", () => {
  const before = JSON.stringify(json);
  assert.equal(described([limit("free", { maxLength: 5 })], "text"), 'The summary Limits: {"maxLength":300}');
  assert.equal(described([limit("kind", { maxLength: 5 })], "kind"), undefined);
  const nested = new LimitedSchemas(json).get([limit("part.of", { maxLength: 7 })]);
  assert.match(JSON.stringify(nested), /"of":\{[^}]*Limits: \{\\"maxLength\\":7\}/);
  assert.equal(JSON.stringify(json), before);
});

test("it is made once for one set of limits, and without limits there is none", () => {
  const schemas = new LimitedSchemas(json);
  const limits = [limit("free", { maxLength: 5 })];
  assert.equal(schemas.get(limits), schemas.get(limits));
  assert.equal(schemas.get([]), undefined);
});

test("what a column can't hold is an issue at the field's path", () => {
  const limits = [limit("free", {}, "too long"), limit("part.of", {}, "not NULL"), limit("text", {})];
  assert.deepEqual(
    violationsOf({ free: "x", part: null }, limits).map(({ path, message }) => `${path}: ${message}`),
    ["free: too long", "part.of: not NULL"],
  );
});

test("a column has words of its own for the model, where it gives any", () => {
  const wordy: FieldLimit = {
    ...limit("free", {}),
    problemOf: () => ({ message: "m", detail: "for people", reAsk: "for the model" }),
  };
  assert.deepEqual(violationsOf({ free: "x" }, [wordy]), [
    { path: "free", message: "m", detail: "for people", reAsk: "for the model" },
  ]);
});

test("a limit reaches each alternative that has the field, and a copy of what is shared", () => {
  const shared = z.object({ city: z.string() }).meta({ id: "Place" });
  const rich = z.object({
    home: shared.nullable(),
    work: shared,
    maybe: z.string().max(300).nullable(),
    either: z.union([z.string(), z.number(), z.enum(["a"])]),
    named: z.string().meta({ id: "Word" }),
    event: z.union([z.object({ kind: z.literal("a"), note: z.string() }), z.object({ kind: z.literal("b") })]),
  });
  const { json: strict } = toStrictSchema(rich);
  const before = JSON.stringify(strict);
  const fieldWith = (path: string, words: FieldLimit["schema"] = { maxLength: 7 }): string => {
    const made = new LimitedSchemas(strict).get([limit(path, words)]);
    const [first = ""] = path.split(".");
    const others = Object.entries(made?.properties ?? {}).filter(([name]) => name !== first);
    assert.ok(
      others.every(([name, field]) => field === strict.properties?.[name]),
      "other fields stay",
    );
    assert.equal(JSON.stringify(made?.$defs), JSON.stringify(strict.$defs));
    return JSON.stringify(made?.properties?.[first]);
  };
  const mark = String.raw`Limits: {\"maxLength\":7}`;
  for (const path of ["home.city", "work.city", "maybe", "either", "named", "event.note"]) {
    const field = fieldWith(path);
    assert.equal(field.split(mark).length, 2, `${path}: ${field}`);
    assert.doesNotMatch(field, /"\$ref":"[^"]*",/, "a reference has nothing beside it");
  }
  assert.match(fieldWith("either", { maximum: 3 }), /"number","description":"Limits: \{\\"maximum\\":3\}"/);
  assert.equal(JSON.stringify(strict), before);
});

test("a column that holds some values only makes a field without choices an enumeration, of values of its types", () => {
  const fields = z.object({
    text: z.string().nullable(),
    whole: z.int(),
    either: z.union([z.string(), z.number()]),
    sure: z.boolean(),
    fixed: z.literal("a"),
  });
  const limits = Object.keys(fields.shape).map((path) => limit(path, { enum: ["a", "b", 1, 1.5] }));
  const { properties = {} } = new LimitedSchemas(toStrictSchema(fields).json).get(limits) ?? {};
  const found = Object.entries(properties).map(([name, field]) => [
    name,
    /"(?:enum|const)":/.test(JSON.stringify(field))
      ? JSON.stringify(field).match(/"(?:enum|const)":(?:\[[^\]]*\]|"a")/g)
      : [],
  ]);
  assert.deepEqual(Object.fromEntries(found), {
    text: ['"enum":["a","b",null]'],
    whole: ['"enum":[1]'],
    either: ['"enum":["a","b",1,1.5]'],
    sure: [],
    fixed: ['"enum":["a"]'],
  });
});
