import { z } from "zod";
import { ClassifierStep, ExtractorStep, LLMOutputBase, LLMStep, SummarizerStep } from "../../src/index.ts";
import { type GoldenCase, goldenCase, ownSinkCase, type RowState, sqliteCase } from "./case.ts";

const text = (s: RowState): string => s.raw.text;
const context = (s: RowState): string | null | undefined => s.raw.context;

const taxonomy = [
  { name: "Card", definition: "A lost or stolen card" },
  { name: "Transfer", definition: "Money that was sent" },
];

const Address = z.object({ street: z.string().describe("With the number"), city: z.string().optional() });
const Money = z
  .object({ amount: z.number().multipleOf(0.01).nonnegative(), currency: z.enum(["EUR", "USD"]) })
  .meta({ id: "Money", description: "An amount of money" });
const Part = z.object({
  name: z.string(),
  get parts() {
    return z.array(Part);
  },
});

/** Something of all that a Zod schema may have, as far as a model can be asked for it. */
const Rich = z
  .strictObject({
    title: z.string().min(3).max(40).describe("A title, in the text's own language"),
    "odd name": z.string().nullable(),
    colour: z.enum(["red", "green", 'a "blue" one', "grün 🟢"]),
    mood: z.enum(["good", "bad"]).optional(),
    kind: z.literal("note"),
    version: z.literal([1, 2, "three"]).nullable(),
    count: z.int().min(0).max(9),
    share: z.number().gt(0).lt(1).optional(),
    year: z.number().int().nullish(),
    isOpen: z.boolean().default(false),
    day: z.iso.date(),
    at: z.iso.datetime({ offset: true }).nullable(),
    mail: z.email(),
    link: z.url().optional(),
    code: z.string().regex(/^[A-Z]{2}-\d+$/),
    tags: z.array(z.string().max(10)).min(1).max(3),
    address: Address,
    second: Address.nullable().optional(),
    price: Money,
    other: Money.optional().describe("Another price"),
    value: z.union([z.string(), z.number(), z.array(z.boolean())]),
    event: z.discriminatedUnion("type", [
      z.object({ type: z.literal("call"), minutes: z.number().positive() }),
      z.object({ type: z.literal("visit"), place: z.string(), note: z.string().optional() }),
    ]),
    slug: z.templateLiteral(["id-", z.number()]),
    words: z
      .string()
      .transform((value) => value.split(" "))
      .pipe(z.array(z.string()).max(3)),
  })
  .refine(({ count, tags }) => count >= tags.length, { message: "count must be at least the number of tags" })
  .describe("All about a note");

const richAnswer = {
  reasoning: "It says so.",
  title: "A lost card",
  "odd name": null,
  colour: "grün 🟢",
  mood: null,
  kind: "note",
  version: "three",
  count: 2,
  share: null,
  year: null,
  isOpen: null,
  day: "2025-02-28",
  at: null,
  mail: "someone@example.com",
  link: null,
  code: "AB-12",
  tags: ["card", "loss"],
  address: { street: "Main Street 1", city: null },
  second: null,
  price: { amount: 12.5, currency: "EUR" },
  other: null,
  value: [true],
  event: { type: "visit", place: "Rome", note: null },
  slug: "id-7",
  words: "one two three",
};

const oddText = 'Line 1 <b>bold</b> & "quoted" \\ back\r\nLine 2\ttab </text> <text>\u0000\u2028 é 🙂 \ud83d end\udc00';

const summarizer = new SummarizerStep({ name: "summary", inputMap: { text }, outputKey: "output" });
const classifier = new ClassifierStep({ name: "kind", taxonomy, inputMap: { text }, outputKey: "output" });
const card = { json: { reasoning: "It was lost.", category: "Card", confidence: 0.9 } };
const summary = { json: { reasoning: "It says so.", text: "A card was lost." } };

/** One case for each kind of step and what its options can change, each with a first request; two ask a second time. */
export const firstRequests: readonly GoldenCase[] = [
  goldenCase({ name: "ClassifierStep", answers: [card], isForAll: true }, classifier),
  goldenCase(
    {
      name: "ClassifierStep with examples, instructions, a context, and names of every kind",
      row: { context: "From <support>, on Monday" },
      answers: [{ json: { reasoning: "So.", category: 'The "other" one', confidence: 1 } }],
      pipelineName: "a pipeline with a long name, of which the end counts 🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂",
    },
    new ClassifierStep({
      name: "what kind of note is it? (a name that is longer than the 64 characters of a schema's name)",
      taxonomy: [
        {
          name: 'The "other" one',
          definition: "  What fits nowhere\nelse  ",
          examples: ['She said "no"', "Zwei\nZeilen"],
        },
        { name: "Überweisung 💶", definition: "Money that was sent", examples: [] },
        { name: "back\\slash", definition: "A path" },
      ],
      inputMap: { text, context },
      instructions: "\n  Texts are German or English.\n",
      temperature: 0.7,
      maxOutputTokens: 100,
      outputKey: "output",
    }),
  ),
  goldenCase({ name: "the ping of a check", answers: [card], isPing: true }, classifier),
  goldenCase({ name: "SummarizerStep", answers: [summary] }, summarizer),
  goldenCase(
    {
      name: "SummarizerStep with all its options",
      row: { context: "What it cost" },
      answers: [{ json: { reasoning: "It says so.", text: 'A CARD was lost, the "case" is open.' } }],
    },
    new SummarizerStep({
      name: "summary",
      inputMap: { text, focus: context },
      maxCharacters: 200,
      maxSentences: 2,
      mustInclude: ["card", 'the "case"'],
      mustNotMatch: [/\d{4}/, /secret/i],
      rules: ["Write in the past tense.", "Name no person."],
      instructions: "The reader is a clerk.",
      temperature: 1.5,
      maxOutputTokens: 64,
      outputKey: "output",
    }),
  ),
  goldenCase(
    {
      name: "ExtractorStep with a rich schema",
      row: { context: "A bank's notes" },
      answers: [{ json: richAnswer }],
    },
    new ExtractorStep({ name: "facts", inputMap: { text, context }, schema: Rich, outputKey: "output" }),
  ),
  goldenCase(
    {
      name: "ExtractorStep with a schema that contains itself",
      answers: [
        { json: { reasoning: "So.", root: { name: "car", parts: [{ name: "wheel", parts: [] }] }, none: null } },
      ],
    },
    new ExtractorStep({
      name: "parts",
      inputMap: { text },
      schema: z.object({ root: Part, none: Part.optional() }),
      outputKey: "output",
    }),
  ),
  goldenCase(
    {
      name: "LLMStep with a prompt of its own, every kind of input, and a text that is cut",
      row: {
        text: oddText,
        context: "  ",
        amount: -0.5,
        account: 12_345_678_901_234_567_890n,
        isUrgent: false,
        at: new Date(Date.UTC(2025, 1, 3, 4, 5, 6, 7)),
      },
      answers: [{ json: { reasoning: "So.", answer: "yes" } }],
    },
    new LLMStep({
      name: "ask",
      prompt: "  Is it about money?\n\nAnswer <yes> or <no>.  ",
      instructions: "Think of cards, too.",
      schema: LLMOutputBase.extend({ answer: z.enum(["yes", "no"]) }),
      inputMap: {
        text,
        context,
        amount: (s) => s.raw.amount,
        account: (s) => s.raw.account,
        "is-urgent": (s) => s.raw.isUrgent,
        at_2: (s) => s.raw.at,
        tail: (s) => s.raw.text.slice(-9),
      },
      temperature: 0.25,
      maxOutputTokens: 300,
      maxInputCharacters: oddText.indexOf("🙂") + 1,
      onTooLong: "truncate",
      outputKey: "output",
    }),
  ),
  goldenCase(
    {
      name: "an answer that was cut off is asked for with twice the tokens",
      answers: [{ text: '{"reasoning":"It was l', cutOff: true }, card],
      isForAll: true,
    },
    classifier,
  ),
  goldenCase(
    {
      name: "an invalid answer is asked for again, and one in a fence is read where there is no strict schema",
      answers: [
        '```json\n{"reasoning":"It was \\"lost\\".","category":"Crad","confidence":2}\n```',
        '{"reasoning":"It was lost.","category":"Crad","confidence":0.5}',
        card,
      ],
      isForAll: true,
    },
    classifier,
  ),
  sqliteCase(
    { name: "columns of a SQLite table limit the answer", answers: [summary] },
    new LLMStep({
      name: "limited",
      prompt: "Describe the text.",
      schema: LLMOutputBase.extend({
        text: z.string().max(100).describe("In short. Limits: none"),
        short: z.string().max(5).optional(),
        plain: z.string().optional(),
        inner: z.object({ note: z.string().min(2) }).optional(),
        choice: z.enum(["a", "b"]).optional(),
      }),
      inputMap: { text },
      outputKey: "output",
    }),
    {
      columns:
        "text VARCHAR(20), short VARCHAR(10), plain TEXT CHECK (length(plain) <= 30), note NVARCHAR(8), choice CHAR(4)",
      columnMap: {
        text: (s) => s.processed.output.text,
        short: (s) => s.processed.output.short,
        plain: (s) => s.processed.output.plain,
        note: (s) => s.processed.output.inner?.note,
        choice: (s) => s.processed.output.choice,
      },
    },
  ),
  ownSinkCase(
    {
      name: "a sink of the user's own limits numbers",
      answers: [{ json: { reasoning: "So.", low: 5, high: 6, free: 7 } }],
    },
    new LLMStep({
      name: "numbers",
      prompt: "Rate the text.",
      schema: LLMOutputBase.extend({
        low: z.number().min(1).max(10),
        high: z.number().min(-5).describe("A rating"),
        free: z.number(),
      }),
      inputMap: { text },
      outputKey: "output",
    }),
    {
      columnMap: {
        low: (s) => s.processed.output.low,
        high: (s) => s.processed.output.high,
        free: (s) => s.processed.output.free,
      },
      limits: { low: { minimum: 3, maximum: 20 }, high: { minimum: -9, maximum: 9 } },
    },
  ),
];
