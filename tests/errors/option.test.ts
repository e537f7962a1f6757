import { test } from "node:test";
import { z } from "zod";
import { OptionError, SettingError } from "../../src/errors/option.ts";
import { checkOptions, isCount, isName, optional } from "../../src/errors/options.ts";
import { Pipeline } from "../../src/index.ts";
import { checkAdmission } from "../../src/llm/limits/options.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { dialect } from "../../src/sinks/sqlite.ts";
import { SQLiteSource } from "../../src/sources/sqlite.ts";
import { ClassifierStep } from "../../src/steps/classifier.ts";
import { LLMStep } from "../../src/steps/llm-step.ts";
import { SummarizerStep } from "../../src/steps/summarizer.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { LLMOutputBase } from "../../src/validation/base-schemas.ts";
import { toStrictSchema } from "../../src/validation/strict-schema.ts";
import { assertSentences } from "../support/error-sentences.ts";
import { constructSQLiteSink } from "../support/sqlite-under-test.ts";

const checks = { name: isName, batchSize: optional(isCount(1)) };

/** As options may come from JavaScript. */
const check = (options: object) => () => checkOptions<object>("Pipeline", options, checks);

test("the sentences about options", async (t) => {
  await assertSentences(t, [
    () => checkOptions("Pipeline", undefined as unknown as object, {}), // likewise
    check({ name: "a", batchSice: 1 }),
    check({ name: "a", zzz: 1 }),
    check({}),
    check({ name: "a", batchSize: 0 }),
    check({ name: "x".repeat(50), batchSize: new URL("https://user:word@host/") }),
    () => new OptionError("Pipeline", "journal", "the journal is there already", { hint: "give another path" }),
    () => new SettingError("AzureOpenAIProvider", "apiKey", "AZURE_OPENAI_API_KEY"),
    () => Reflect.construct(SQLiteSource, [{ databasePath: "a.db", primaryKeyColumn: "id" }]),
  ]);
});

test("the sentences about a pipeline's options", async (t) => {
  const options = {
    name: "p",
    source: new MemorySource<{ id: string }>({ rows: [], primaryKeyColumn: "id" }),
    llmProvider: new MockProvider(),
  };
  const constructing = (wrong: object) => () => Reflect.construct(Pipeline, [{ ...options, ...wrong }]);
  await assertSentences(t, [
    constructing({ source: {} }),
    constructing({ onRowError: "ignore" }),
    constructing({ deadLetterPath: "failed.jsonl" }),
    constructing({ payloadLogPath: new URL("https://example.com/x") }),
    () => checkAdmission({ retryDelayMs: [10, 5] }),
  ]);
});

test("the sentences about the options of a table", async (t) => {
  const columnMap = { id: () => null, value: () => null };
  const constructing = (options: object) => () =>
    constructSQLiteSink({ databasePath: "a.db", targetTable: "t", columnMap, mergeKeys: ["id"], ...options });
  const creating = (table: string, ...names: readonly string[]) => {
    const columns = names.map((name) => ({
      name,
      type: { kind: "date" } as const,
      isNullable: true,
      isCompletedAt: false,
    }));
    const target = { sink: "own", targetTable: "t", strategy: "merge", dialect, keys: [], columns };
    return () => dialect.createTable(target, table);
  };
  await assertSentences(t, [
    constructing({ targetTable: "a.b.c" }),
    constructing({ targetTable: "dbo.visits" }),
    constructing({ columnMap: {} }),
    constructing({ columnMap: { ...columnMap, ID: () => null } }),
    constructing({ mergeKeys: [] }),
    constructing({ mergeKeys: ["ident"] }),
    constructing({ mergeKeys: ["id", "id"] }),
    constructing({ strategy: "upsert" }),
    constructing({ strategy: "insert" }),
    constructing({ strategy: "update", mergeKeys: ["id", "value"] }),
    creating("a b", "a"),
    creating('"sqlite_stat1"', "a"),
    creating("t", ""),
    creating("t", "Id", "ID"),
  ]);
});

const inputMap = { text: (): string => "x" };
const options = { name: "s", outputKey: "o", inputMap };
const definition = "d";

test("the sentences about a step's options", async (t) => {
  const taxonomies: readonly unknown[] = [
    { Emergency: "x" },
    [],
    [{ definition }],
    [{ name: "A" }],
    [{ name: "A", definition, examples: [""] }],
    ["A", "B", "a"].map((name) => ({ name, definition })),
  ];
  await assertSentences(t, [
    ...taxonomies.map((taxonomy) => () => Reflect.construct(ClassifierStep, [{ ...options, taxonomy }])),
    ...[{}, { "a b": inputMap.text, ...inputMap }].map(
      (inputs) => () =>
        new LLMStep({
          ...options,
          inputMap: { context: inputMap.text, ...inputs } as never,
          prompt: "p",
          schema: LLMOutputBase,
        }),
    ),
    () => new SummarizerStep({ ...options, mustNotMatch: [/\d/y] }),
  ]);
});

function fields(count: number): z.ZodObject {
  return z.object(Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, z.string()])));
}

function choices(count: number, length: number): z.ZodObject {
  return z.object({ a: z.enum(Array.from({ length: count }, (_, index) => `${index}`.padStart(length, "0"))) });
}

const nested = z.object({ a: z.object({ a: z.object({ a: z.object({ a: z.object({ a: z.string() }) }) }) }) });
const types: Readonly<Record<string, z.ZodType>> = {
  ...{ any: z.any(), bigint: z.bigint(), custom: z.custom(() => true), date: z.date(), file: z.file() },
  ...{ intersection: z.intersection(z.object({}), z.object({})), map: z.map(z.string(), z.string()), nan: z.nan() },
  ...{ never: z.never(), record: z.record(z.string(), z.string()), set: z.set(z.string()), symbol: z.symbol() },
  ...{ tuple: z.tuple([z.string()]), undefined: z.undefined(), unknown: z.unknown(), void: z.void() },
};

test("the sentences about a schema that no model can be asked for", async (t) => {
  const late = LLMOutputBase.extend({ code: z.string().refine(async (code) => code !== "") });
  await assertSentences(t, [
    ...Object.entries(types).map(
      ([name, type]) =>
        () =>
          toStrictSchema(z.object({ [name]: type })),
    ),
    () => toStrictSchema(z.looseObject({})),
    () => toStrictSchema(fields(101)),
    () => toStrictSchema(choices(1001, 4)),
    () => toStrictSchema(choices(251, 80)),
    () => toStrictSchema(z.object({ top: nested })),
    () => new LLMStep({ ...options, prompt: "p", schema: late }),
  ]);
});
