import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { strictProblem } from "../../../src/testing/simulator/strict-check.ts";
import { toStrictSchema } from "../../../src/validation/strict-schema.ts";
import { randomSchema } from "../../support/random-schema.ts";

const object = (properties: Record<string, unknown>, others: object = {}): object => ({
  type: "object",
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
  ...others,
});

test("whatever the strict converter makes of a Zod schema is strict", () => {
  fc.assert(
    fc.property(randomSchema(), (schema) => assert.equal(strictProblem(toStrictSchema(schema).json), undefined)),
    { numRuns: 200, seed: 21 },
  );
});

test("what the strict subset does not allow is refused, with the place", () => {
  const text = { type: "string" };
  let deep: object = object({ a: text });
  for (let level = 1; level < 6; level += 1) deep = object({ inner: deep });
  const cases: [unknown, RegExp][] = [
    [[], /not an object/],
    [{ type: "string" }, /the root must have "type": "object"/],
    [object({}, { anyOf: [object({})] }), /root must not be an anyOf/],
    [object({ a: text }, { additionalProperties: true }), /at root: 'additionalProperties'/],
    [object({ a: text }, { required: [] }), /at root: 'required' must list every property; 'a' is missing/],
    [object({ a: text }, { required: ["a", "b"] }), /a property that is not there/],
    [object({ a: { type: "number", maximum: 1 } }), /at root\.a: 'maximum' is not permitted/],
    [object({ a: { type: "string", default: "x" } }), /'default' is not permitted/],
    [object({ a: { oneOf: [text] } }), /'oneOf' is not permitted/],
    [object({ a: {} }), /at root\.a: a 'type' is missing/],
    [object({ a: { type: "array" } }), /an array must have 'items'/],
    [object({ a: { type: "array", items: { type: "object" } } }), /at root\.a\[\]: 'additionalProperties'/],
    [object({ a: { anyOf: [text, { type: "string", format: "date" }] } }), /anyOf\[1\]: 'format'/],
    [object({ a: { $ref: "#/$defs/x" } }, { $defs: { x: { type: "object" } } }), /at \$defs\.x/],
    [deep, /levels of nesting exceed the limit of 5/],
    [object(Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`p${index}`, text]))), /101 properties/],
    [object({ a: { type: "string", enum: Array.from({ length: 1001 }, String) } }), /1001 enum values/],
  ];
  for (const [schema, message] of cases) assert.match(strictProblem(schema) ?? "none", message);
});
