import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ErrorFacts } from "../../src/errors/facts.ts";
import type { JSONSchema } from "../../src/json/json-schema.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { ClassifierStep } from "../../src/steps/classifier.ts";
import { failsWith } from "../support/error-facts.ts";

interface State {
  readonly text: string;
}
const inputMap = { text: (state: State) => state.text };
const taxonomy = [
  { name: "Emergency", definition: " Urgent visit ", examples: ['A "fall"\nfrom a ladder'] },
  { name: "Routine Checkup", definition: "Preventive care" },
] as const;
const step = new ClassifierStep({
  name: "visits",
  taxonomy,
  inputMap,
  outputKey: "visit_type",
  instructions: "Be strict.",
});

test("the system message holds the taxonomy as it is written, names and examples quoted, and the instructions", () => {
  const system = step.render({ text: "x" }).messages[0]?.content ?? "";
  assert.match(
    system,
    /\nCategories:\n- "Emergency": Urgent visit\n {2}- example: "A \\"fall\\"\\nfrom a ladder"\n- "Routine Checkup": Preventive care\n/,
  );
  assert.match(system, /\n\nBe strict\.\n\n/);
});

test("an answer must name one of the categories and a confidence from 0 to 1", () => {
  assert.deepEqual(step.read('{"reasoning":"r","category":"Emergency","confidence":1}'), {
    ...{ valid: true, output: { reasoning: "r", category: "Emergency", confidence: 1 } },
  });
  const reading = step.read('{"reasoning":"r","category":"emergency","confidence":1.5}');
  assert.ok(!reading.valid);
  assert.deepEqual(
    reading.issues.map(({ path, reAsk }) => `${path}: ${reAsk}`),
    [
      'category: "emergency" is not one of the allowed values; closest: "Emergency"',
      "confidence: must be between 0 and 1, got 1.5",
    ],
  );
});

test("the mock classifies by the definitions", async () => {
  const { messages, schema, maxOutputTokens } = step.render({ text: "Preventive care as every year" });
  const request = { messages, schema, maxOutputTokens, cacheKey: "k" };
  const { text } = await new MockProvider().complete(request, new AbortController().signal);
  const reading = step.read(text);
  assert.ok(reading.valid);
  assert.equal(reading.output.category, "Routine Checkup");
});

describe("a taxonomy that is wrong is rejected at construction", () => {
  const definition = "d";
  const cases: readonly (readonly [string, unknown, ErrorFacts])[] = [
    ["nothing", undefined, { expected: "an object", got: "nothing" }],
    ["no array", { Emergency: "x" }, { expected: "an array of { name, definition, examples? }", got: "an object" }],
    ["an empty array", [], { expected: "at least one category", got: "an empty array" }],
    ["only names", ["Emergency"], { entry: 1, expected: "a name that is not blank" }],
    ["an entry that is null", [null], { entry: 1, expected: "a name that is not blank" }],
    ["a blank name", [{ name: " ", definition }], { entry: 1, expected: "a name that is not blank" }],
    [
      "no definition",
      [{ name: "A", definition }, { name: "B" }],
      { entry: 2, expected: "a definition that is not blank" },
    ],
    ["a blank definition", [{ name: "A", definition: "\n" }], { entry: 1, expected: "a definition that is not blank" }],
    ["a name twice", ["A", "B", "A"].map((name) => ({ name, definition })), { first: 1, entry: 3 }],
    ["a name twice but for its case", ["A b", "a B "].map((name) => ({ name, definition })), { first: 1, entry: 2 }],
    [
      "a blank example",
      [{ name: "A", definition, examples: [""] }],
      { entry: 1, expected: "examples that are not blank" },
    ],
    [
      "an example that is no list",
      [{ name: "A", definition, examples: "x" }],
      { entry: 1, expected: "examples that are not blank" },
    ],
  ];
  for (const [name, wrong, facts] of cases) {
    test(name, () => {
      assert.throws(
        () => new ClassifierStep({ name: "c", taxonomy: wrong as never, inputMap, outputKey: "o" }), // the compiler rejects it
        failsWith("INVALID_OPTION", { where: "taxonomy", ...facts }),
      );
    });
  }

  test("more categories than a schema can list", () => {
    const many = Array.from({ length: 1001 }, (_, index) => ({ name: `c${index}`, definition }));
    assert.throws(
      () => new ClassifierStep({ name: "c", taxonomy: many, inputMap, outputKey: "o" }),
      failsWith("SCHEMA_NOT_SUPPORTED", { expected: "at most 1000", got: 1001 }),
    );
  });

  test("an unknown option", () => {
    const wrong = { name: "c", taxonomy, inputMap, outputKey: "o", taxanomy: [] } as never; // likewise
    assert.throws(
      () => new ClassifierStep(wrong),
      failsWith("INVALID_OPTION", { where: "taxanomy", nearest: "taxonomy" }),
    );
  });
});

describe("reasoning", () => {
  const options = {
    name: "kind",
    taxonomy: [
      { name: "A", definition: "a" },
      { name: "B", definition: "b" },
    ],
    inputMap: { text: (s: { text: string }) => s.text },
    outputKey: "kind",
  } as const;
  const fieldsOf = (step: { readonly outputSchema: JSONSchema }): string[] =>
    Object.keys(step.outputSchema.properties ?? {});

  test("stands first, last or nowhere, and may have a limit", () => {
    assert.deepEqual(fieldsOf(new ClassifierStep(options)), ["reasoning", "category", "confidence"]);
    assert.deepEqual(fieldsOf(new ClassifierStep({ ...options, reasoning: "first" })), [
      "reasoning",
      "category",
      "confidence",
    ]);
    assert.deepEqual(fieldsOf(new ClassifierStep({ ...options, reasoning: "last" })), [
      "category",
      "confidence",
      "reasoning",
    ]);
    assert.deepEqual(fieldsOf(new ClassifierStep({ ...options, reasoning: false })), ["category", "confidence"]);
    const { reasoning } = new ClassifierStep({ ...options, maxReasoningCharacters: 80 }).outputSchema.properties ?? {};
    assert.equal(typeof reasoning === "object" && reasoning.maxLength, 80);
  });

  test("that is left out is in no output", () => {
    const step = new ClassifierStep({ ...options, reasoning: false });
    const reading = step.read('{"category":"A","confidence":1}');
    assert.ok(reading.valid);
    const { output } = reading;
    output.category satisfies "A" | "B";
    // @ts-expect-error -- there is none
    assert.equal(output.reasoning, undefined);
    assert.equal(new ClassifierStep(options).read('{"category":"A","confidence":1}').valid, false);
  });

  test("has one of three places, and no limit where there is none", () => {
    assert.throws(
      () => new ClassifierStep({ ...options, reasoning: true as never }),
      failsWith("INVALID_OPTION", { where: "reasoning", got: "true" }),
    );
    assert.throws(
      () => new ClassifierStep({ ...options, reasoning: false, maxReasoningCharacters: 80 }),
      failsWith("INVALID_OPTION", { where: "maxReasoningCharacters" }),
    );
  });
});
