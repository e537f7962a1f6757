import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { ClassifierStep, type LLMProvider, Pipeline } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";

interface State {
  readonly note: string;
}
const named = { name: "topics", outputKey: "topics", inputMap: { text: (s: State) => s.note } } as const;
const taxonomy = [
  { name: "Card", definition: "About a card" },
  { name: "Fee", definition: "About money taken for a service" },
  { name: "Login", definition: "About getting in" },
] as const;

type Equal<One, Other> = [One, Other] extends [Other, One] ? true : false;
/** Compiles only where the two types are the same. */
function isType<Expected>() {
  return <Actual>(value: Actual, same: Equal<Actual, Expected>): Actual => {
    assert.equal(same, true);
    return value;
  };
}

const Note = z.object({ id: z.string(), note: z.string() });
const notes = ["a card and its fee", "a login", "nothing at all"].map((note, index) => ({ id: String(index), note }));

function begun(llmProvider: LLMProvider) {
  const source = new MemorySource({ rows: notes, primaryKeyColumn: "id", schema: Note });
  return new Pipeline({ name: "labels", source, llmProvider, payloadLog: "off", journal: "off", onRowError: "skip" });
}

test("several labels are typed, and reach the sink as a list", async () => {
  const sink = begun(new MockProvider()).step(
    new ClassifierStep({
      name: "topics",
      taxonomy,
      labels: { min: 1, max: 2 },
      inputMap: { text: (s) => s.raw.note },
      outputKey: "topics",
    }),
  );
  const written: unknown[] = [];
  const columns = {
    topics: (s: {
      processed: { topics: { labels: { category: "Card" | "Fee" | "Login"; confidence: number }[] } };
    }) => {
      const labels = isType<{ category: "Card" | "Fee" | "Login"; confidence: number }[]>()(
        s.processed.topics.labels,
        true,
      );
      written.push(labels.map(({ category }) => category));
      return labels;
    },
  };
  const report = await sink.to(new MemorySink({ columnMap: columns })).run();
  assert.deepEqual([report.error, report.successCount], [null, 3]);
  assert.ok(written.some((labels) => Array.isArray(labels) && labels.length === 2));
});

/** The issues of an answer with these labels. */
function issuesOf(labels: readonly object[], counts: { min?: number; max?: number } = {}): readonly string[] {
  const step = new ClassifierStep({ ...named, taxonomy, labels: counts });
  const reading = step.read(JSON.stringify({ reasoning: "r", labels }));
  return reading.valid ? [] : reading.issues.map(({ path, code }) => `${path} ${code}`);
}
const card = { category: "Card", confidence: 0.9 };
const fee = { category: "Fee", confidence: 0.5 };

test("an answer has from min to max labels, each a category of the taxonomy, none twice", () => {
  assert.deepEqual(issuesOf([]), []);
  assert.deepEqual(issuesOf([card, fee]), []);
  assert.deepEqual(issuesOf([card], { min: 2 }), ["labels size"]);
  assert.deepEqual(issuesOf([card, fee], { max: 1 }), ["labels size"]);
  assert.deepEqual(issuesOf([card, fee, { ...card, confidence: 0.1 }]), ["labels.2.category own"]);
  assert.deepEqual(issuesOf([{ ...card, category: "Cards" }]), ["labels.0.category choice"]);
  assert.deepEqual(issuesOf([{ ...card, confidence: 2 }]), ["labels.0.confidence range"]);
});

test("any labels, in any order and number: valid exactly where none comes twice and the number fits", () => {
  const names = fc.constantFrom("Card", "Fee", "Login");
  fc.assert(
    fc.property(fc.array(names, { maxLength: 5 }), fc.nat(2), fc.integer({ min: 1, max: 3 }), (chosen, min, max) => {
      fc.pre(min <= max);
      const labels = chosen.map((category) => ({ category, confidence: 0.5 }));
      const isRight = new Set(chosen).size === chosen.length && chosen.length >= min && chosen.length <= max;
      assert.equal(issuesOf(labels, { min, max }).length === 0, isRight);
    }),
  );
});

test("a label that comes twice is asked for again, with the reason", async () => {
  const asked: string[] = [];
  const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1, reasoningTokens: 0 };
  const llmProvider: LLMProvider = {
    name: "doubling",
    fingerprint: () => "doubling",
    complete: async ({ messages }) => {
      asked.push(messages.at(-1)?.content ?? "");
      const labels = messages.length > 2 ? [card] : [card, card];
      const text = JSON.stringify({ reasoning: "r", labels });
      return await Promise.resolve({ text, finishReason: "stop", model: "m", usage });
    },
  };
  const report = await begun(llmProvider)
    .step(new ClassifierStep({ ...named, taxonomy, labels: {}, inputMap: { text: (s) => s.raw.note } }))
    .to(new MemorySink({ columnMap: { labels: (s) => s.processed.topics.labels.length } }))
    .run({ concurrency: 1 });
  assert.deepEqual([report.successCount, report.usage.reAsks], [3, 3]);
  assert.ok(asked.some((text) => text.includes("labels.1.category")));
});

test("an invalid confidence of one label is null where that is wanted, and is counted", () => {
  const step = new ClassifierStep({ ...named, taxonomy, labels: {}, onInvalidConfidence: "null" });
  const reading = step.read(
    JSON.stringify({ reasoning: "r", labels: [card, { category: "Fee", confidence: "high" }] }),
  );
  assert.ok(reading.valid);
  assert.deepEqual(reading.output.labels, [card, { category: "Fee", confidence: null }]);
  assert.deepEqual(reading.nullFields, ["labels.confidence"]);
  const twice = step.read(JSON.stringify({ reasoning: "r", labels: [card, { ...card, confidence: 7 }] }));
  assert.equal(twice.valid, false);
});

test("the place of the reasoning is that of one category", () => {
  const keysOf = (reasoning: "first" | "last" | false) =>
    Object.keys(new ClassifierStep({ ...named, taxonomy, labels: {}, reasoning }).outputSchema.properties ?? {});
  assert.deepEqual(
    [keysOf("first"), keysOf("last"), keysOf(false)],
    [["reasoning", "labels"], ["labels", "reasoning"], ["labels"]],
  );
});

test("the prompt says how many labels are wanted, and differs from that of one category", () => {
  const systemOf = (labels?: { min?: number; max?: number }): string =>
    new ClassifierStep({ ...named, taxonomy, labels }).render({ note: "x" }).messages[0]?.content ?? "";
  const all = [undefined, {}, { max: 2 }, { min: 1 }, { min: 1, max: 2 }, { min: 2, max: 2 }].map(systemOf);
  assert.equal(new Set(all).size, all.length);
});

for (const [labels, facts] of [
  [
    { min: 3, max: 2 },
    { where: "min", expected: "at most 2", got: 3 },
  ],
  [{ max: 4 }, { where: "max", expected: "at most 3", got: 4 }],
  [{ min: 4 }, { where: "min", expected: "at most 3", got: 4 }],
  [{ max: 0 }, { where: "max" }],
  [{ min: -1 }, { where: "min" }],
  [{ most: 2 }, { where: "most" }],
  [5, { where: "labels" }],
] as const) {
  test(`labels: ${JSON.stringify(labels)} is rejected at construction`, () => {
    const make = (): unknown => new ClassifierStep({ ...named, taxonomy, labels: labels as never }); // as in JavaScript
    assert.throws(make, failsWith("INVALID_OPTION", facts));
  });
}
