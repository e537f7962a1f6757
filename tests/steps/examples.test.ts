import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { ClassifierStep, ExtractorStep, LLMStep, SummarizerStep } from "../../src/index.ts";
import { failsWith } from "../support/error-facts.ts";

interface State {
  readonly note: string;
}
const named = { name: "x", outputKey: "out", inputMap: { text: (s: State) => s.note } } as const;
const taxonomy = [
  { name: "Card", definition: "About a card" },
  { name: "Other", definition: "Anything else" },
] as const;

/** The system message that a step sends. */
function systemOf(step: { readonly render: (state: State) => { readonly messages: readonly { content: string }[] } }) {
  return step.render({ note: "a row" }).messages[0]?.content ?? "";
}

test("examples stand at the end of the system message: inputs as a row's, the answer as a model writes it", () => {
  const shown = new ClassifierStep({
    ...named,
    taxonomy,
    inputMap: { ...named.inputMap, context: () => "bank" },
    examples: [
      {
        input: { text: "swallowed by <b>the</b> machine", context: "ATM" },
        // Fields in another order than the schema's.
        output: { category: "Card", confidence: 0.9, reasoning: "A card was kept" },
      },
      { input: { text: "hello" }, output: { reasoning: "No request", category: "Other", confidence: 0.8 } },
    ],
  });
  const plain = new ClassifierStep({ ...named, taxonomy, inputMap: { ...named.inputMap, context: () => "bank" } });
  const [message, without] = [systemOf(shown), systemOf(plain)];
  assert.ok(message.startsWith(without));
  assert.equal(
    message.slice(without.length),
    "\n\nExamples, each with the reply that is wanted:\n\n" +
      "<context>\nATM\n</context>\n\n<text>\nswallowed by &lt;b>the&lt;/b> machine\n</text>\n\n" +
      'Reply: {"reasoning":"A card was kept","category":"Card","confidence":0.9}\n\n' +
      '<text>\nhello\n</text>\n\nReply: {"reasoning":"No request","category":"Other","confidence":0.8}',
  );
  const rows = ["one", "two"].map((note) => shown.render({ note }));
  assert.equal(rows[0]?.messages[0]?.content, rows[1]?.messages[0]?.content);
  assert.notEqual(shown.render({ note: "one" }).promptHash, plain.render({ note: "one" }).promptHash);
  assert.deepEqual(rows[0]?.messages.slice(1), plain.render({ note: "one" }).messages.slice(1));
});

test("no examples leave the prompt as it was", () => {
  const none = new SummarizerStep({ ...named, examples: [] });
  assert.equal(systemOf(none), systemOf(new SummarizerStep(named)));
});

test("an answer has null for what it leaves out, also in lists, and each object the fields of its alternative", () => {
  const schema = z.object({
    size: z.int().optional(),
    parts: z.array(z.object({ name: z.string(), weight: z.number().optional() })),
    shape: z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("round"), radius: z.number() }),
      z.object({ kind: z.literal("square"), side: z.number(), note: z.string().optional() }),
    ]),
  });
  const step = new ExtractorStep({
    ...named,
    schema,
    examples: [
      {
        input: { text: "t" },
        output: { shape: { side: 2, kind: "square" }, parts: [{ name: "a" }], reasoning: "r" },
      },
    ],
  });
  const reply = systemOf(step).split("Reply: ").at(-1) ?? "";
  assert.equal(
    reply,
    '{"reasoning":"r","size":null,"parts":[{"name":"a","weight":null}],"shape":{"kind":"square","side":2,"note":null}}',
  );
  const read = step.read(reply);
  assert.ok(read.valid);
  assert.deepEqual(read.output.parts, [{ name: "a" }]);
});

test("the answer of a field with a transform is the one before it", () => {
  const step = new LLMStep({
    ...named,
    prompt: "Find the code.",
    schema: z.object({ code: z.string().transform((text) => text.length) }),
    examples: [{ input: { text: "t" }, output: { code: "abc" } }],
  });
  assert.match(systemOf(step), /Reply: \{"code":"abc"\}$/);
});

const summarizing = (example: unknown) => () =>
  new SummarizerStep({ ...named, maxCharacters: 5, examples: [example as never] }); // as in JavaScript

for (const [what, example, facts] of [
  ["no object", "text", { expected: "{ input, output }, both objects" }],
  ["no output", { input: { text: "a" } }, { expected: "{ input, output }, both objects" }],
  ["no text", { input: {}, output: { reasoning: "r", text: "s" } }, { where: "text" }],
  ["a blank text", { input: { text: " " }, output: { reasoning: "r", text: "s" } }, { where: "text" }],
  ["an input of a wrong kind", { input: { text: {} }, output: { reasoning: "r", text: "s" } }, { where: "text" }],
  [
    "an input that the step lacks",
    { input: { text: "a", txt: "b" }, output: { reasoning: "r", text: "s" } },
    { where: "txt" },
  ],
  [
    "a field that the schema lacks",
    { input: { text: "a" }, output: { reasoning: "r", text: "s", extra: 1 } },
    { where: "extra" },
  ],
  ["a field too few", { input: { text: "a" }, output: { text: "s" } }, { where: "reasoning" }],
  [
    "a value that breaks a rule",
    { input: { text: "a" }, output: { reasoning: "r", text: "too long" } },
    { where: "text" },
  ],
] as const) {
  test(`an example with ${what} is rejected at construction`, () => {
    assert.throws(summarizing(example), failsWith("INVALID_OPTION", facts));
  });
}

test("examples that are no list are rejected", () => {
  const examples = { input: { text: "a" } } as never; // as in JavaScript
  assert.throws(() => new SummarizerStep({ ...named, examples }), failsWith("INVALID_OPTION", { where: "examples" }));
});

test("types: an example has the step's inputs, and answers of its schema", () => {
  const one = (): unknown =>
    new ClassifierStep({
      ...named,
      taxonomy,
      // @ts-expect-error -- no category of the taxonomy
      examples: [{ input: { text: "a" }, output: { reasoning: "r", category: "Crad", confidence: 1 } }],
    });
  assert.throws(one, failsWith("INVALID_OPTION", { where: "category" }));
  const two = (): unknown =>
    new ExtractorStep({
      ...named,
      schema: z.object({ size: z.int() }),
      // @ts-expect-error -- a text is no size
      examples: [{ input: { text: "a" }, output: { reasoning: "r", size: "5" } }],
    });
  assert.throws(two, failsWith("INVALID_OPTION", { where: "size" }));
});
