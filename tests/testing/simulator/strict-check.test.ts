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

test("a schema outside of the strict subset has a problem, which names the place", (t) => {
  const text = { type: "string" };
  let deep: object = object({ a: text });
  for (let level = 1; level < 6; level += 1) deep = object({ inner: deep });
  const cases: [schema: unknown, ...named: string[]][] = [
    [[], "object"],
    [{ type: "string" }, "root", '"object"'],
    [object({}, { anyOf: [object({})] }), "root", "anyOf"],
    [object({ a: text }, { additionalProperties: true }), "root", "'additionalProperties'"],
    [object({ a: text }, { required: [] }), "root", "'required'", "'a'"],
    [object({ a: text }, { required: ["a", "b"] }), "root", "'required'"],
    [object({ a: { type: "number", maximum: 1 } }), "root.a", "'maximum'"],
    [object({ a: { type: "string", default: "x" } }), "root.a", "'default'"],
    [object({ a: { oneOf: [text] } }), "root.a", "'oneOf'"],
    [object({ a: {} }), "root.a", "'type'"],
    [object({ a: { type: "array" } }), "root.a", "'items'"],
    [object({ a: { type: "array", items: { type: "object" } } }), "root.a[]", "'additionalProperties'"],
    [object({ a: { anyOf: [text, { type: "string", format: "date" }] } }), "root.a.anyOf[1]", "'format'"],
    [object({ a: { $ref: "#/$defs/x" } }, { $defs: { x: { type: "object" } } }), "$defs.x"],
    [deep, "root.inner.inner.inner.inner.inner", "6", "5"],
    [object(Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`p${index}`, text]))), "101", "100"],
    [object({ a: { type: "string", enum: Array.from({ length: 1001 }, String) } }), "1001", "1000"],
  ];
  const problems = cases.map(([schema, ...named]) => {
    const problem = strictProblem(schema) ?? "none";
    for (const name of named) assert.ok(problem.includes(name), `${name} in: ${problem}`);
    return problem;
  });
  t.assert.snapshot(problems, { serializers: [(lines) => lines.join("\n")] });
});
