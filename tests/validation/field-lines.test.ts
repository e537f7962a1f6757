import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { fieldLines, replySkeleton } from "../../src/validation/field-lines.ts";
import { toStrictSchema } from "../../src/validation/strict-schema.ts";

const linesOf = (schema: z.ZodObject, shown = ""): readonly string[] =>
  fieldLines(toStrictSchema(schema).json, shown).split("\n").slice(1);

/** The line of a field, without its name. */
function lineOf(schema: z.ZodType, shown = ""): string {
  const [line = "", ...others] = linesOf(z.object({ field: schema }), shown);
  assert.deepEqual(others, []);
  return line.replace("- field: ", "");
}

test("a field has one line, with its limits and its meaning", () => {
  assert.match(lineOf(z.string().max(200).describe("The reason\n  for it")), /200.*The reason for it$/);
  assert.match(lineOf(z.number().min(0).max(1)), /0 .*1/);
  assert.match(lineOf(z.int().gt(3).multipleOf(5)), /3.*5/);
  assert.match(lineOf(z.iso.date()), /\d{4}-\d\d-\d\d/);
  assert.match(lineOf(z.string().regex(/^[A-Z]{3}$/)), /\^\[A-Z\]\{3\}\$/);
  assert.match(lineOf(z.array(z.string().max(20)).min(2).max(5)), /2 .*5 .*20/);
  assert.match(lineOf(z.literal("visit")), /"visit"/);
  assert.match(lineOf(z.boolean().nullable()), /null$/);
  assert.match(lineOf(z.union([z.string(), z.number()]).nullable()), /text .*number.*null$/);
  assert.match(lineOf(z.enum(["a", "b"]).nullable()), /"a", "b".*null$/);
  for (const line of [lineOf(z.string()), lineOf(z.string().max(200))]) assert.ok(!/[{}]|maxLength/.test(line), line);
});

test("names that the prompt has in quotes are not named again; where one is missing, all are", () => {
  const category = z.enum(["Card", "Transfer", "Other"]);
  const line = lineOf(category, '- "Card": …\n- "Transfer": …\n- "Other": …');
  assert.ok(!/Card|Transfer|Other/.test(line), line);
  const named = lineOf(category, '- "Card": …\n- "Transfer": …');
  for (const name of ["Card", "Transfer", "Other"]) assert.ok(named.includes(JSON.stringify(name)), named);
});

test("objects within objects, lists and alternatives have lines of their own, further in", () => {
  const person = z.object({ type: z.literal("person"), first: z.string() });
  const firm = z.object({ type: z.literal("firm"), title: z.string() });
  const lines = linesOf(
    z.object({
      address: z.object({ street: z.string(), place: z.object({ lat: z.number() }) }).nullable(),
      items: z.array(z.object({ name: z.string() })),
      who: z.union([person, firm]),
    }),
  );
  const fields = lines.filter((line) => /^ *- /.test(line)).map((line) => line.slice(0, line.indexOf(":")));
  assert.deepEqual(fields, [
    ...["- address", "  - street", "  - place", "    - lat"],
    ...["- items", "  - name", "- who"],
    ...["    - type", "    - first", "    - type", "    - title"],
  ]);
});

test("a schema that contains itself is described once", () => {
  const Node: z.ZodType = z.lazy(() => z.object({ name: z.string(), children: z.array(Node) }));
  const lines = linesOf(z.object({ root: Node, sibling: Node }));
  assert.ok(lines.length < 10, lines.join("\n"));
  assert.ok(replySkeleton(toStrictSchema(z.object({ root: Node })).json).length < 200);
});

/** Schemas of the kinds that steps have. */
const anySchema: fc.Arbitrary<z.ZodType> = fc.letrec<{ schema: z.ZodType }>((tie) => ({
  schema: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom<z.ZodType>(z.string(), z.number().min(1), z.int(), z.boolean(), z.iso.date(), z.email().max(9)),
    fc.constantFrom<z.ZodType>(z.enum(["x", "y"]), z.literal("z"), z.literal(4), z.null()),
    tie("schema").map((inner) => inner.nullable()),
    tie("schema").map((inner) => inner.optional()),
    tie("schema").map((inner) => z.array(inner).max(3)),
    fc.tuple(tie("schema"), tie("schema")).map((inner) => z.union(inner)),
    fc.dictionary(fc.constantFrom("one", "two", "three"), tie("schema")).map((shape) => z.object(shape)),
  ),
})).schema;

test("whatever the schema is, each of its fields has a line, and the skeleton is JSON with its fields in order", () => {
  const shapes = fc.dictionary(fc.constantFrom("alpha", "beta", "gamma"), anySchema, { minKeys: 1 });
  fc.assert(
    fc.property(shapes, (shape) => {
      let schema;
      try {
        schema = toStrictSchema(z.object(shape)).json;
      } catch {
        return; // nested too deep, for one: no model is asked for it
      }
      const lines = fieldLines(schema, "").split("\n");
      for (const name of Object.keys(shape)) assert.ok(lines.some((line) => line.startsWith(`- ${name}: `)));
      assert.deepEqual(Object.keys(JSON.parse(replySkeleton(schema))), Object.keys(shape));
    }),
    { numRuns: 300, seed: 5 },
  );
});
