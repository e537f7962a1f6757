import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { ExtractorStep } from "../../src/steps/extractor.ts";
import { failsWith } from "../support/error-facts.ts";

interface State {
  readonly text: string;
}
const inputMap = { text: (state: State) => state.text };
const schema = z
  .object({ drug: z.string().nullable(), dose: z.number().positive().optional() })
  .refine(({ drug, dose }) => drug !== null || dose === undefined, { message: "a dose needs a drug", path: ["dose"] });
const step = new ExtractorStep({ name: "extract", schema, inputMap, outputKey: "found" });

test("the model is asked for reasoning first, then the schema's fields", () => {
  const { schema: asked } = step.render({ text: "x" });
  assert.deepEqual(asked.json.required, ["reasoning", "drug", "dose"]);
  assert.deepEqual(Object.keys(asked.json.properties ?? {}), ["reasoning", "drug", "dose"]);
});

test("the output is the schema's, with reasoning; a field that is absent stays absent", () => {
  const reading = step.read('{"reasoning":"r","drug":null,"dose":null}');
  assert.deepEqual(reading, { valid: true, output: { reasoning: "r", drug: null } });
  const full = step.read('{"reasoning":"r","drug":"Aspirin","dose":2.5}');
  assert.ok(full.valid);
  const dose: number | undefined = full.output.dose; // the type is the schema's
  assert.equal(dose, 2.5);
});

test("the schema's limits and its own refinements are checked, and the model is sent the issues", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['{"reasoning":"r","drug":"A","dose":-1}', "dose: must be more than 0, got -1"],
    ['{"reasoning":"r","drug":null,"dose":1}', "dose: a dose needs a drug, got 1"],
    ['{"drug":null,"dose":null}', "reasoning: must be a string, got nothing"],
  ];
  for (const [answer, line] of cases) {
    const reading = step.read(answer);
    assert.ok(!reading.valid);
    assert.deepEqual(
      reading.issues.map(({ path, reAsk }) => `${path}: ${reAsk}`),
      [line],
    );
  }
});

test("a default is given where the model says that there is nothing", () => {
  const made = new ExtractorStep({
    name: "e",
    schema: z.object({ unit: z.string().default("mg") }),
    inputMap,
    outputKey: "o",
  });
  assert.deepEqual(made.read('{"reasoning":"r","unit":null}'), { valid: true, output: { reasoning: "r", unit: "mg" } });
});

test("a schema that is none, or that no model can be asked for, is rejected at construction", () => {
  const make = (wrong: unknown) => () =>
    new ExtractorStep({ name: "e", schema: wrong as z.ZodObject, inputMap, outputKey: "o" }); // likewise for JavaScript
  for (const wrong of [undefined, {}, z.string(), z.array(schema)]) {
    assert.throws(make(wrong), failsWith("INVALID_OPTION", { where: "schema" }));
  }
  assert.throws(
    make(z.object({ list: z.array(z.object({ at: z.date() })) })),
    failsWith("SCHEMA_NOT_SUPPORTED", { where: "list[].at", type: "z.date()" }),
  );
});

test("a schema keeps its description, and its rejection of unknown fields", () => {
  const strict = new ExtractorStep({
    name: "e",
    schema: z.strictObject({ drug: z.string() }).describe("What was prescribed").meta({ id: "Prescription" }),
    inputMap,
    outputKey: "o",
  });
  assert.equal(strict.render({ text: "x" }).schema.json.description, "What was prescribed");
  const answer = '{"reasoning":"r","drug":"A","dose":1}';
  const reading = strict.read(answer);
  assert.ok(!reading.valid);
  assert.equal(reading.issues[0]?.reAsk, 'has unknown fields: "dose"');
  const loose = new ExtractorStep({ name: "e", schema: z.object({ drug: z.string() }), inputMap, outputKey: "o" });
  assert.deepEqual(loose.read(answer), { valid: true, output: { reasoning: "r", drug: "A" } });
});
