import { z } from "zod";
import { ClassifierStep, LLMStep, SummarizerStep } from "../../src/index.ts";
import { sqlServerCase } from "./sql-server-case.ts";
import { type Answer, type GoldenCase, goldenCase, ownSinkCase, type RowState, sqliteCase } from "./case.ts";

const inputMap = { text: (s: RowState): string => s.raw.text };

function stepFor<Schema extends z.ZodObject>(schema: Schema, maxRetries = 20): LLMStep<RowState, "output", Schema> {
  return new LLMStep({
    name: "fill",
    prompt: "Fill in the fields.",
    schema,
    inputMap,
    maxRetries,
    outputKey: "output",
  });
}

/** A step for these fields, and answers that are invalid but for the last one. */
function reAsk(name: string, schema: z.ZodObject, ...answers: Answer[]): GoldenCase {
  return goldenCase({ name, answers }, stepFor(schema));
}

const fields = (json: Readonly<Record<string, unknown>>): Answer => ({ json });
const longText = "A text of 81 characters, in which each character counts, and which ends just here.🙂🙂";

/** Every format that has a name of its own. The model is asked for what JSON Schema calls it. */
const webFormats = {
  email: z.email(),
  url: z.url(),
  hostname: z.hostname(),
  ipv4: z.ipv4(),
  ipv6: z.ipv6(),
  cidrv4: z.cidrv4(),
  cidrv6: z.cidrv6(),
  e164: z.e164(),
  jwt: z.jwt(),
};
const idFormats = {
  uuid: z.uuid(),
  guid: z.guid(),
  cuid: z.cuid(),
  cuid2: z.cuid2(),
  ulid: z.ulid(),
  nanoid: z.nanoid(),
  xid: z.xid(),
  ksuid: z.ksuid(),
};
const otherFormats = {
  date: z.iso.date(),
  datetime: z.iso.datetime(),
  time: z.iso.time(),
  duration: z.iso.duration(),
  base64: z.base64(),
  base64url: z.base64url(),
  emoji: z.emoji(),
  hex: z.hex(),
};
const validFormats = {
  ...{ email: "someone@example.com", url: "https://example.com/", hostname: "example.com", ipv4: "192.0.2.1" },
  ...{ ipv6: "2001:db8::1", cidrv4: "192.0.2.0/24", cidrv6: "2001:db8::/32", e164: "+14155550123" },
  jwt: "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
  ...{ uuid: "3f2b8c1e-5d4a-4b6f-9a7c-1e2d3c4b5a69", guid: "3f2b8c1e-5d4a-4b6f-9a7c-1e2d3c4b5a69" },
  ...{ cuid: "cjld2cjxh0000qzrmn831i7rn", cuid2: "tz4a98xxat96iws9zmbrgj3a", ulid: "01ARZ3NDEKTSV4RRFFQ69G5FAV" },
  ...{ nanoid: "V1StGXR8_Z5jdHi6B-myT", xid: "9m4e2mr0ui3e8a215n4g", ksuid: "0o5Fs0EELR0fUjHjbCnEtdUwQe3" },
  ...{ date: "2025-01-15", datetime: "2025-01-15T10:30:00Z", time: "10:30:00", duration: "P1D" },
  ...{ base64: "c2FtcGxl", base64url: "c2FtcGxl", emoji: "🙂", hex: "c0ffee" },
};

function formatCase(name: string, formats: Readonly<Record<string, z.ZodType>>): GoldenCase {
  const valid = Object.entries(validFormats).filter(([format]) => Object.hasOwn(formats, format));
  const invalid = Object.keys(formats).map((format) => [format, "not so!"]);
  return reAsk(name, z.object(formats), fields(Object.fromEntries(invalid)), fields(Object.fromEntries(valid)));
}

const words = z.string().transform((value) => value.split(" "));

/** By kind of issue, the complete conversation until the answer is valid. */
const byIssue: readonly GoldenCase[] = [
  goldenCase(
    {
      name: "a category that is none",
      answers: [
        ...["Transfr", "transfer of money", "Loa", "Weather"].map((category) =>
          fields({ reasoning: "So.", category, confidence: 0.5 }),
        ),
        fields({ reasoning: "So.", category: "Loan", confidence: 1.5 }),
        fields({ reasoning: "So.", category: "Loan", confidence: 1 }),
      ],
    },
    new ClassifierStep({
      name: "kind",
      taxonomy: ["Card", "Transfer", "Transfer abroad", "Transfers", "Loan", "Loans"].map((name) => ({
        name,
        definition: `About ${name.toLowerCase()}`,
      })),
      inputMap,
      maxRetries: 9,
      outputKey: "output",
    }),
  ),
  reAsk(
    "a value that is none of those allowed",
    z.object({
      choice: z.enum(["yes", "no"]),
      only: z.literal("x"),
      mixed: z.literal([1, "two", null]),
      one: z.literal(7),
    }),
    fields({ choice: 5, only: 5, mixed: true, one: 8 }),
    fields({ choice: "Yes", only: "y", mixed: "tow", one: "7" }),
    fields({ choice: longText, only: null, mixed: { a: 1 } }),
    fields({ choice: "yes", only: "x", mixed: "two", one: 7 }),
  ),
  reAsk(
    "a wrong type, and a missing field",
    z.object({
      text: z.string(),
      number: z.number(),
      whole: z.int(),
      flag: z.boolean(),
      list: z.array(z.string()),
      object: z.object({ a: z.string() }),
      nothing: z.null(),
    }),
    fields({ text: 1, number: "1", whole: 1.5, flag: "true", list: "a", object: "b", nothing: 0 }),
    fields({ text: ["a"], number: null, whole: 1e20, flag: 0, list: { a: 1 }, object: [], nothing: "" }),
    fields({}),
    fields({ text: { toJSON: 1 }, number: true, whole: longText, flag: null, list: ["a", 1], object: { a: 2 } }),
    fields({ text: "a", number: 1, whole: 1, flag: true, list: ["a"], object: { a: "b" }, nothing: null }),
  ),
  reAsk(
    "an issue deep in the answer",
    z.object({ list: z.array(z.object({ "odd.name": z.object({ count: z.int().min(1).max(5) }) })).max(2) }),
    fields({ list: [{ "odd.name": { count: 9 } }, { "odd.name": { count: "x" } }] }),
    fields({ list: [{ "odd.name": {} }, {}] }),
    fields({ list: [{}, {}, {}] }),
    fields({ list: [{ "odd.name": { count: 2 } }] }),
  ),
  reAsk(
    "a text that is too long or too short",
    z.object({
      least: z.string().min(3),
      most: z.string().max(3),
      both: z.string().min(2).max(4),
      exact: z.string().length(2),
      filled: z.string().min(1).max(5),
      nonempty: z.string().nonempty(),
    }),
    fields({ least: "🙂🙂", most: "🙂🙂🙂🙂", both: "a", exact: "a", filled: "", nonempty: "" }),
    fields({ least: "", most: longText, both: "abcde", exact: "abc", filled: "abcdef", nonempty: "a" }),
    fields({ least: "abc", most: "abc", both: "abc", exact: "ab", filled: "a", nonempty: "a" }),
  ),
  reAsk(
    "a number that is too big or too small",
    z.object({
      least: z.number().min(-1.5),
      most: z.number().max(1e21),
      above: z.number().gt(0),
      below: z.number().lt(0),
      both: z.number().min(0).max(1),
      between: z.number().gt(0).lt(1),
      half: z.number().gte(0).lt(1),
      multiple: z.number().multipleOf(0.25),
      even: z.int().multipleOf(2).min(0),
      safe: z.int(),
    }),
    fields({
      least: -2,
      most: 1e22,
      above: 0,
      below: 0,
      both: 2,
      between: 0,
      half: -1,
      multiple: 0.3,
      even: 3,
      safe: 1,
    }),
    fields({
      least: 0,
      most: 0,
      above: -1,
      below: 1,
      both: -1,
      between: 1,
      half: 1,
      multiple: 1,
      even: -3,
      safe: 9e15,
    }),
    fields({
      least: 0,
      most: 0,
      above: 1,
      below: -1,
      both: 1,
      between: 0.5,
      half: 0,
      multiple: 1,
      even: 2,
      safe: -9e16,
    }),
    fields({ least: 0, most: 0, above: 1, below: -1, both: 1, between: 0.5, half: 0, multiple: 1, even: 2, safe: 1 }),
  ),
  reAsk(
    "a list with too many or too few items",
    z.object({
      least: z.array(z.int()).min(2),
      most: z.array(z.int()).max(1),
      both: z.array(z.int()).min(2).max(3),
      exact: z.array(z.int()).length(2),
      some: z.array(z.int()).nonempty().max(3),
    }),
    fields({ least: [1], most: [1, 2], both: [1], exact: [], some: [] }),
    fields({ least: [], most: [1, 2, 3], both: [1, 2, 3, 4], exact: [1, 2, 3], some: [1, 2, 3, 4] }),
    fields({ least: [1, 2], most: [], both: [1, 2], exact: [1, 2], some: [1] }),
  ),
  formatCase("formats of the web", webFormats),
  formatCase("formats of ids", idFormats),
  formatCase("other formats", otherFormats),
  reAsk(
    "a text that does not fit its pattern",
    z.object({
      pattern: z.string().regex(/^[A-Z]{2}\/\d+$/iu),
      start: z.string().startsWith('a "'),
      end: z.string().endsWith("z"),
      middle: z.string().includes("mid\ndle"),
      lower: z.string().lowercase(),
      upper: z.string().uppercase(),
      template: z.templateLiteral(["id-", z.number()]),
      said: z.string().regex(/^x$/, "say x, and nothing else"),
      several: z.string().min(3).startsWith("a").endsWith("z"),
    }),
    fields({
      ...{ pattern: "A", start: "b", end: "b", middle: "b", lower: "B", upper: "b", template: "id-x", said: "y" },
      several: "b",
    }),
    fields({
      ...{ pattern: "AB/1", start: 'a "', end: "z", middle: "mid\ndle", lower: "b", upper: "B", template: "id-1" },
      ...{ said: "x", several: "abz" },
    }),
  ),
  reAsk(
    "fields that are unknown",
    z.strictObject({ a: z.string(), inner: z.strictObject({ b: z.string() }) }),
    fields({ a: "a", inner: { b: "b" }, extra: 1 }),
    fields({
      a: "a",
      inner: { b: "b", 'odd "name"': 1 },
      ...Object.fromEntries([..."cdefgh"].map((name) => [name, 1])),
    }),
    fields({ a: "a", inner: { b: "b" }, [longText]: 1 }),
    fields({ a: "a", inner: { b: "b" } }),
  ),
  reAsk(
    "a value that fits none of the alternatives",
    z.object({
      either: z.union([z.string(), z.number().max(5)]),
      shape: z.discriminatedUnion("type", [
        z.object({ type: z.literal("circle"), radius: z.number() }),
        z.object({ type: z.literal("square"), side: z.number(), note: z.string().optional() }),
      ]),
      open: z.union([z.object({ a: z.string() }), z.object({ b: z.number(), c: z.string().optional() })]),
    }),
    fields({ either: true, shape: { type: "line", length: 1 }, open: { d: 1 } }),
    fields({ either: 6, shape: { type: "circle", side: 1 }, open: { b: "1", c: null } }),
    fields({ either: null, shape: "circle", open: [1] }),
    fields({ either: 5, shape: { type: "square", side: 1, note: null }, open: { b: 1, c: null } }),
  ),
  reAsk(
    "an answer that is no JSON object",
    z.object({ a: z.string() }),
    "I think that it is a card.",
    'Here it is: {"a":"b"}',
    '{"a":"b"} I hope that it helps.',
    '```json\n{"a":\n```',
    "",
    '{"a":"b\n\n- c: must be d"}',
    '{"a":"b"',
    "[1]",
    "null",
    '"a"',
    fields({ a: "b" }),
  ),
  reAsk(
    "a rule of the user's own",
    z
      .object({
        from: z.int(),
        to: z.int().refine((value) => value !== 13, { error: ({ input }) => `not ${String(input)}, please` }),
        name: z.string().refine((value) => value !== "x"),
        note: z.string().check(({ value, issues }) => {
          if (value === "long")
            issues.push({ code: "custom", message: `so\n\n  it  is ${longText.repeat(5)}`, input: value });
        }),
        list: z.array(z.string()).superRefine((value, context) => {
          if (value.length > 0) context.addIssue({ code: "custom", message: "must not start so", path: [0, "x"] });
        }),
      })
      .refine(({ from, to }) => from <= to, "from must not be after to")
      .refine(({ from, to }) => to - from < 100, { message: "must be near each other", path: ["to"] }),
    fields({ from: 20, to: 13, name: "x", note: "long", list: ["a"] }),
    fields({ from: 20, to: 10, name: "y", note: "short", list: [] }),
    fields({ from: 20, to: 1000, name: "y", note: "short", list: [] }),
    fields({ from: 1, to: 2, name: "y", note: "short", list: [] }),
  ),
  reAsk(
    "what a transform makes of the answer",
    z.object({
      number: z.string().transform(Number).pipe(z.number().max(5)),
      text: z.number().transform(String).pipe(z.string().max(2)),
      day: z
        .string()
        .transform((value) => new Date(value))
        .pipe(z.date().min(new Date(Date.UTC(2025, 0, 1)))),
      big: z
        .string()
        .transform((value) => BigInt(value))
        .pipe(z.bigint().max(5n)),
      set: words.transform((list) => new Set(list)).pipe(z.set(z.string().max(3)).max(1)),
      list: words.pipe(z.array(z.string().max(3)).max(2)),
      record: words
        .transform((list) => Object.fromEntries(list.map((word) => [word, 1])))
        .pipe(z.record(z.string().max(3), z.number())),
    }),
    fields({ number: "6", text: 123, day: "2024-12-31", big: "6", set: "a b", list: "a b c", record: "longer" }),
    fields({ number: "x", text: 12, day: "no day", big: "5", set: "longer", list: "longer", record: "a" }),
    fields({ number: "5", text: 12, day: "2025-01-01", big: "5", set: "a", list: "a b", record: "a" }),
  ),
  goldenCase(
    {
      name: "a summary that breaks its rules",
      answers: [
        "It cost 1234. It was a secret. The end.",
        "Card 🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂🙂",
        "",
        `Card. ${"Long ".repeat(20)}`,
        "A card was lost.",
      ].map((text) => fields({ reasoning: "So.", text })),
    },
    new SummarizerStep({
      name: "summary",
      inputMap,
      maxCharacters: 40,
      maxSentences: 2,
      mustInclude: ["Card"],
      mustNotMatch: [/\d{4}/, /secret/i],
      maxRetries: 9,
      outputKey: "output",
    }),
  ),
  reAsk(
    "more issues than are named",
    z.object(Object.fromEntries([..."abcdefghijklm"].map((name) => [name, z.int()]))),
    fields({}),
    fields(Object.fromEntries([..."abcdefghijklm"].map((name) => [name, 1]))),
  ),
  reAsk(
    "an answer that is too long to be shown whole",
    z.object({ a: z.string().max(5000) }),
    `{"a":"${"x".repeat(1993)}🙂🙂","b`,
    fields({ a: "b" }),
  ),
];

/** Answers that a column can't hold. */
const byColumn: readonly GoldenCase[] = [
  sqliteCase(
    {
      name: "an answer that a column of a SQLite table can't hold",
      answers: [
        fields({ short: "🙂".repeat(6), wide: "a card was lost", count: "some", real: "x", needed: null, list: ["a"] }),
        fields({ short: longText, wide: "a", count: 1.5, real: "1e3", needed: null, list: null }),
        fields({ short: "🙂".repeat(5), wide: "a", count: "7", real: "1e3", needed: "a", list: null }),
      ],
    },
    stepFor(
      z.object({
        short: z.string(),
        wide: z.string(),
        count: z.union([z.string(), z.number()]),
        real: z.string(),
        needed: z.string().nullable(),
        list: z.array(z.string()).nullable(),
      }),
    ),
    {
      columns: `short TEXT CHECK (short IS NULL OR length(short) < 6), wide TEXT CHECK (length(wide) <= 10),
        count INTEGER, real REAL, needed TEXT NOT NULL, list TEXT, strict TEXT) STRICT --`,
      columnMap: {
        short: (s) => s.processed.output.short,
        wide: (s) => s.processed.output.wide,
        count: (s) => s.processed.output.count,
        real: (s) => s.processed.output.real,
        needed: (s) => s.processed.output.needed,
        list: (s) => s.processed.output.list,
      },
    },
  ),
  ownSinkCase(
    {
      name: "a number that a sink of the user's own can't hold",
      answers: [fields({ a: 30, inner: { b: -1 } }), fields({ a: 3, inner: { b: 1 } })],
    },
    stepFor(z.object({ a: z.number(), inner: z.object({ b: z.number() }) })),
    {
      columnMap: { a: (s) => s.processed.output.a, b: (s) => s.processed.output.inner.b },
      limits: { a: { maximum: 10 }, b: { minimum: 0 } },
    },
  ),
];

const types = {
  ...{
    unicode: "NVARCHAR(5)",
    paged: "VARCHAR(5)",
    lacking: "VARCHAR(50)",
    binary: "VARBINARY(5)",
    guid: "UNIQUEIDENTIFIER",
  },
  ...{ bit: "BIT", tiny: "TINYINT", whole: "INT", big: "BIGINT", decimal: "DECIMAL(3,2)", money: "SMALLMONEY" },
  ...{ real: "REAL", float: "FLOAT", day: "DATE", time: "TIME(0)", moment: "DATETIME2(3)", old: "DATETIME" },
  ...{ small: "SMALLDATETIME", offset: "DATETIMEOFFSET(0)", needed: "NVARCHAR(9) NOT NULL" },
};

/** A case with a table of SQL Server that has these columns, all of nullable fields that may be of any type. */
function sqlServerReAsk(
  columns: readonly (keyof typeof types)[],
  answers: readonly Readonly<Record<string, unknown>>[],
) {
  const field = z.union([z.string(), z.number(), z.boolean()]).nullable();
  return sqlServerCase(
    {
      name: `an answer that columns of SQL Server can't hold: ${columns.join(", ")}`,
      answers: answers.map((json) => fields(json)),
    },
    stepFor(z.object(Object.fromEntries(columns.map((name) => [name, field])))),
    Object.fromEntries(columns.map((name) => [name, types[name]])),
  );
}

/** Answers that a column of SQL Server can't hold: the words are those of the sink. */
const bySQLServerColumn: readonly GoldenCase[] = [
  sqlServerReAsk(
    ["unicode", "paged", "lacking", "binary", "guid", "needed"],
    [
      { unicode: "🙂🙂🙂", paged: "a card", lacking: "Łódź 🙂", binary: "abc", guid: "no id", needed: null },
      { unicode: longText, paged: 123_456, lacking: "x", binary: null, guid: 7, needed: "0123456789" },
      { unicode: "🙂🙂", paged: "éé", lacking: "Lodz", binary: null, guid: validFormats.guid, needed: "a" },
    ],
  ),
  sqlServerReAsk(
    ["bit", "tiny", "whole", "big", "decimal", "money", "real", "float"],
    [
      { bit: "maybe", tiny: 256, whole: 1.5, big: "x", decimal: 10, money: 1e9, real: 1e39, float: "much" },
      { bit: 2, tiny: -1, whole: 3e9, big: 1e30, decimal: "a", money: false, real: "x", float: "1e999" },
      { bit: "true", tiny: 255, whole: "7", big: "7", decimal: 9.99, money: 1, real: 1, float: 1 },
    ],
  ),
  sqlServerReAsk(
    ["day", "time", "moment", "old", "small", "offset"],
    [
      { day: "soon", time: "noon", moment: "2025-13-01", old: "1752-01-01", small: "1899-01-01", offset: 5 },
      { day: true, time: 12, moment: "later", old: "x", small: "2080-01-01", offset: "x" },
      {
        ...{ day: "2025-01-15", time: "10:30:00", moment: "2025-01-15T10:30:00Z", old: "2025-01-15T10:30:00Z" },
        ...{ small: "2025-01-15T10:30:00Z", offset: "2025-01-15T10:30:00+01:00" },
      },
    ],
  ),
];

/** Conversations that go on otherwise, or end without an output. */
const otherwise: readonly GoldenCase[] = [
  goldenCase(
    {
      name: "an answer to a re-ask that was cut off is asked for with twice the tokens",
      answers: [fields({ a: 1 }), { text: '{"a":"', cutOff: true }, fields({ a: 2 }), fields({ a: "b" })],
    },
    stepFor(z.object({ a: z.string() })),
  ),
  goldenCase(
    {
      name: "an answer that is cut off twice is not asked for again",
      answers: [...Array(2)].map(() => ({ text: "{", cutOff: true as const })),
    },
    stepFor(z.object({ a: z.string() })),
  ),
  goldenCase(
    {
      name: "an answer with the issues of the one before is not asked for again",
      answers: [fields({ a: 1 }), fields({ a: 1 })],
    },
    stepFor(z.object({ a: z.string() })),
  ),
  goldenCase(
    { name: "the last of the re-asks", answers: [1, 2, 3].map((a) => fields({ a })) },
    stepFor(z.object({ a: z.string() }), 2),
  ),
];

export const reAsks: readonly GoldenCase[] = [...byIssue, ...byColumn, ...bySQLServerColumn, ...otherwise];
