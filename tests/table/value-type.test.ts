import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { fieldType, unknownType } from "../../src/table/value-type.ts";

const text = (maxLength: number | undefined, isLimit = maxLength !== undefined) => ({
  kind: "text",
  maxLength,
  isLimit,
});

/** What is said of a field of that Zod type. */
function typeOf(schema: z.ZodType, ...path: string[]) {
  return fieldType(z.toJSONSchema(z.object({ field: schema }), { unrepresentable: "any" }), ["field", ...path]);
}

test("a type is read from the schema, with its limits", () => {
  const range = { minimum: -Infinity, maximum: Infinity };
  const expected: readonly (readonly [z.ZodType, object])[] = [
    [z.string(), text(undefined)],
    [z.string().max(80), text(80)],
    [z.enum(["a", "bbb"]), text(3, false)],
    [z.literal("four"), text(4, false)],
    [z.number(), { kind: "number", ...range }],
    [z.number().gt(0).max(2), { kind: "number", minimum: 0, maximum: 2 }],
    [z.int().min(-5).lt(7), { kind: "integer", minimum: -5, maximum: 7 }],
    [z.int(), { kind: "integer", minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }],
    [z.literal([1, 5]), { kind: "integer", minimum: 1, maximum: 5 }],
    [z.literal([1, 2.5]), { kind: "number", minimum: 1, maximum: 2.5 }],
    [z.boolean(), { kind: "boolean" }],
    [z.uuid(), { kind: "uuid" }],
    [z.iso.date(), { kind: "date" }],
    [z.iso.datetime(), { kind: "moment", decimals: 7 }],
    [z.array(z.string()), { kind: "json" }],
    [z.object({ a: z.string() }), { kind: "json" }],
  ];
  for (const [schema, type] of expected) assert.deepEqual(typeOf(schema), { type, isNullable: false });
});

test("what may be one or the other holds both, or is not known", () => {
  assert.deepEqual(typeOf(z.union([z.literal("x"), z.string().max(9)]))?.type, text(9, false));
  assert.deepEqual(typeOf(z.union([z.string(), z.string().max(9)]))?.type, text(undefined));
  const numbers = z.union([z.int().min(0).max(9), z.number().min(-1).max(1)]);
  assert.deepEqual(typeOf(numbers)?.type, { kind: "number", minimum: -1, maximum: 9 });
  assert.deepEqual(
    typeOf(z.union([z.string(), z.number()]))?.type,
    unknownType("the schema allows values of several types"),
  );
});

test("what the schema does not say may be anything, null too", () => {
  const anything = { type: unknownType("the schema does not say what it is"), isNullable: true };
  assert.deepEqual(typeOf(z.unknown()), anything);
  assert.deepEqual(typeOf(z.instanceof(Buffer)), anything);
});

test("null, an optional field, and either of them on the way make it nullable", () => {
  const nullable = { type: text(undefined), isNullable: true };
  assert.deepEqual(typeOf(z.string().nullable()), nullable);
  assert.deepEqual(typeOf(z.string().optional()), nullable);
  assert.deepEqual(typeOf(z.object({ a: z.string() }).nullable(), "a"), nullable);
  assert.deepEqual(typeOf(z.object({ a: z.string() }).optional(), "a"), nullable);
  assert.deepEqual(typeOf(z.union([z.object({ a: z.string() }), z.object({ b: z.string() })]), "a"), nullable);
  assert.deepEqual(
    fieldType({ type: "object", properties: { a: { enum: ["b", null], type: "string" } }, required: ["a"] }, ["a"]),
    {
      type: text(1, false),
      isNullable: true,
    },
  );
});

test("a path leads through references, lists and lengths, and nowhere where there is no such field", () => {
  const Named = z.object({ name: z.string().max(5) }).meta({ id: "Named" });
  const schema = z.object({ one: Named, two: Named, list: z.array(Named) });
  const root = z.toJSONSchema(schema);
  assert.deepEqual(fieldType(root, ["two", "name"]), { type: text(5), isNullable: false });
  assert.deepEqual(fieldType(root, ["list", "0", "name"]), { type: text(5), isNullable: true });
  const length = { type: { kind: "integer", minimum: 0, maximum: 2 ** 31 - 1 }, isNullable: false };
  assert.deepEqual(fieldType(root, ["list", "length"]), length);
  assert.deepEqual(fieldType(root, ["one", "name", "length"]), length);
  assert.deepEqual(fieldType(root, []), { type: { kind: "json" }, isNullable: false });
  for (const path of [["three"], ["one", "toString"], ["one", "0"], ["list", "first"]]) {
    assert.equal(fieldType(root, path), undefined, path.join("."));
  }
});
