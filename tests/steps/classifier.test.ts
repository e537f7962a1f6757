import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { OptionError } from "../../src/errors/option.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { ClassifierStep } from "../../src/steps/classifier.ts";

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
    reading.issues.map(({ path, detail }) => `${path}: ${detail}`),
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

describe("a taxonomy that is wrong is refused at construction", () => {
  const definition = "d";
  const cases: readonly (readonly [string, unknown, RegExp])[] = [
    ["nothing", undefined, /"taxonomy": expected an object, got nothing/],
    ["no array", { Emergency: "x" }, /expected an array of \{ name, definition, examples\? \}/],
    ["an empty array", [], /at least one category, got an empty array/],
    ["only names", ["Emergency"], /entry 1: expected a name that is not blank/],
    ["an entry that is null", [null], /entry 1: expected a name that is not blank/],
    ["a blank name", [{ name: " ", definition }], /entry 1: expected a name that is not blank/],
    ["no definition", [{ name: "A", definition }, { name: "B" }], /"B": expected a definition that is not blank/],
    ["a blank definition", [{ name: "A", definition: "\n" }], /"A": expected a definition that is not blank/],
    [
      "a name twice",
      [
        { name: "A", definition },
        { name: "B", definition },
        { name: "A", definition },
      ],
      /"A" stands twice: entries 1 and 3/,
    ],
    [
      "a name twice but for its case",
      [
        { name: "A b", definition },
        { name: "a B ", definition },
      ],
      /stands twice: entries 1 and 2/,
    ],
    ["a blank example", [{ name: "A", definition, examples: [""] }], /"A": expected examples that are not blank/],
    ["an example that is no list", [{ name: "A", definition, examples: "x" }], /"A": expected examples/],
  ];
  for (const [name, wrong, message] of cases) {
    test(name, () => {
      assert.throws(
        () => new ClassifierStep({ name: "c", taxonomy: wrong as never, inputMap, outputKey: "o" }), // what TypeScript would refuse
        (error) => error instanceof OptionError && message.test(error.message),
      );
    });
  }

  test("more categories than a schema can list", () => {
    const many = Array.from({ length: 1001 }, (_, index) => ({ name: `c${index}`, definition }));
    assert.throws(() => new ClassifierStep({ name: "c", taxonomy: many, inputMap, outputKey: "o" }), {
      code: "SCHEMA_NOT_SUPPORTED",
    });
  });

  test("an unknown option", () => {
    const wrong = { name: "c", taxonomy, inputMap, outputKey: "o", taxanomy: [] } as never; // likewise
    assert.throws(
      () => new ClassifierStep(wrong),
      /ClassifierStep: option "taxanomy": unknown option; did you mean "taxonomy"/,
    );
  });
});
