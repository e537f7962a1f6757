import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import type { ChatMessage } from "../../../src/contracts/provider.ts";
import { AnswerSampler } from "../../../src/llm/mock/sample-answer.ts";
import { ClassifierStep } from "../../../src/steps/classifier.ts";
import { SummarizerStep, type SummarizerStepOptions } from "../../../src/steps/summarizer.ts";
import { toStrictSchema } from "../../../src/validation/strict-schema.ts";
import { randomSchema } from "../../support/random-schema.ts";

interface TextState {
  readonly text: string;
}
const inputMap = { text: (state: TextState) => state.text };
const user = (content: string): readonly ChatMessage[] => [{ role: "user", content }];

/** The answer for a schema, as it comes, after it was found valid. */
function sample<Schema extends z.ZodObject>(schema: Schema, text = "Some text. Another sentence."): z.output<Schema> {
  const { json, undoNulls } = toStrictSchema(schema);
  return schema.parse(undoNulls(new AnswerSampler(1).answer(user(text), json)));
}

test("the same messages, schema and seed give the same answer, and another seed another", () => {
  fc.assert(
    fc.property(randomSchema(), fc.string(), fc.nat(), (schema, text, seed) => {
      const { json } = toStrictSchema(schema);
      const answer = (): string => JSON.stringify(new AnswerSampler(seed).answer(user(text), json));
      assert.equal(answer(), answer());
    }),
    { numRuns: 100, seed: 9 },
  );
  const { json } = toStrictSchema(z.object({ a: z.number(), b: z.number(), c: z.number() }));
  const answers = [1, 2, 3, 4].map((seed) => JSON.stringify(new AnswerSampler(seed).answer(user("x"), json)));
  assert.ok(new Set(answers).size > 1);
});

test("a row is classified by the words that it shares with a definition, and its confidence says how well", () => {
  const step = new ClassifierStep({
    name: "classify",
    taxonomy: [
      { name: "Emergency", definition: "Urgent, unplanned visit for acute symptoms or trauma" },
      { name: "Routine Checkup", definition: "Scheduled preventive care or follow-up appointment" },
    ],
    inputMap,
    outputKey: "kind",
  });
  const sampler = new AnswerSampler(1);
  const classify = (text: string) => {
    const { messages, schema } = step.render({ text });
    const reading = step.read(JSON.stringify(sampler.answer(messages, schema.json)));
    assert.ok(reading.valid);
    return reading.output;
  };
  const emergency = classify("Acute trauma after a fall; the visit was unplanned and urgent.");
  assert.equal(emergency.category, "Emergency");
  assert.equal(classify("Scheduled appointment for preventive care.").category, "Routine Checkup");
  assert.ok(emergency.confidence > classify("Nothing that is in a definition").confidence);
  assert.match(emergency.reasoning, /^Acute trauma/);
});

test("a summary keeps to the rules that code can check, whatever the text", () => {
  const rules: fc.Arbitrary<Partial<SummarizerStepOptions<TextState, "summary">>> = fc.record(
    {
      maxCharacters: fc.integer({ min: 40, max: 300 }),
      maxSentences: fc.integer({ min: 1, max: 3 }),
      mustInclude: fc.uniqueArray(fc.constantFrom("Insulin", "dose", "allergy"), { maxLength: 3 }),
    },
    { requiredKeys: [] },
  );
  const words = fc.constantFrom(
    "insulin",
    "Dose!",
    "is",
    "3.5",
    "Dr.",
    "stopped.",
    "why?",
    "😀",
    "“quoted.”",
    "e.g.",
    "Ünder",
    "\n\n",
    "药。",
  );
  const texts = fc.array(words, { minLength: 1, maxLength: 200 }).map((list) => list.join(" "));
  fc.assert(
    fc.property(rules, texts, (options, text) => {
      if (text.trim() === "") return;
      const step = new SummarizerStep({ name: "summarize", inputMap, outputKey: "summary", ...options });
      const { messages, schema } = step.render({ text });
      const reading = step.read(JSON.stringify(new AnswerSampler(1).answer(messages, schema.json)));
      assert.ok(reading.valid, JSON.stringify([options, reading]));
    }),
    { numRuns: 300, seed: 10 },
  );
});

test("a text that must be included is there, though the text that holds it is cut", () => {
  const filler = "A sentence about something else entirely that takes room. ";
  const step = new SummarizerStep({ name: "s", inputMap, outputKey: "o", mustInclude: ["insulin"], maxSentences: 20 });
  const { messages, schema } = step.render({ text: `${filler.repeat(10)}Then insulin.` });
  assert.ok(step.read(JSON.stringify(new AnswerSampler(1).answer(messages, schema.json))).valid);
});

test("a schema that contains itself is answered to a depth that ends", () => {
  const Tree = z.object({
    name: z.string(),
    get next() {
      return Tree.nullable();
    },
    get maybe() {
      return Tree.optional();
    },
    get children() {
      return z.array(Tree);
    },
  });
  assert.ok(JSON.stringify(sample(Tree)).length > 20);
});

test("numbers keep to their limits, also where there is little or no room", () => {
  const { tiny, below, exact, large, whole, percent } = sample(
    z.object({
      tiny: z.number().gt(0).lt(0.000_01),
      below: z.number().negative(),
      exact: z.number().min(0.123).max(0.123),
      large: z.number().min(1e300),
      whole: z.int().min(-3).max(-2),
      percent: z.number().multipleOf(5).min(1).max(9),
    }),
  );
  assert.ok(tiny > 0 && tiny < 0.000_01 && below < 0 && exact === 0.123 && large >= 1e300);
  assert.ok((whole === -3 || whole === -2) && percent === 5);
});

test("every format that Zod has a type for is met", () => {
  const formats = {
    ...{
      email: z.email(),
      url: z.url(),
      uuid: z.uuid(),
      guid: z.guid(),
      date: z.iso.date(),
      dateTime: z.iso.datetime(),
    },
    ...{ duration: z.iso.duration(), ipv4: z.ipv4(), ipv6: z.ipv6(), cidrv4: z.cidrv4(), cidrv6: z.cidrv6() },
    ...{ base64: z.base64(), base64url: z.base64url(), e164: z.e164(), emoji: z.emoji(), jwt: z.jwt(), hex: z.hex() },
    ...{ nanoid: z.nanoid(), cuid: z.cuid(), cuid2: z.cuid2(), ulid: z.ulid(), xid: z.xid(), ksuid: z.ksuid() },
    ...{ hostname: z.hostname() },
  };
  for (const [name, schema] of Object.entries(formats))
    assert.doesNotThrow(() => sample(z.object({ a: schema })), name);
});

test("a text is made of the row's own sentences, without the tags that it stands between", () => {
  const { json } = toStrictSchema(z.object({ text: z.string() }));
  const content = "<context>\nnot this\n</context>\n\n<text>\nPain &lt; 3 days. Second one. Third one.\n</text>";
  assert.deepEqual(new AnswerSampler(1).answer(user(content), json), { text: "Pain < 3 days. Second one." });
});

test("with no messages at all there is still an answer", () => {
  const { json } = toStrictSchema(
    z.object({ text: z.string().min(3), choice: z.enum(["a"]), nothing: z.literal(null) }),
  );
  const answer = new AnswerSampler(1).answer([], json);
  assert.deepEqual(answer, { text: "-..", choice: "a", nothing: null });
});
