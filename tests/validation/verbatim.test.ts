import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import { ExtractorStep, type LLMProvider, Pipeline, verbatim } from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { placePassages } from "../../src/validation/verbatim.ts";
import { failsWith } from "../support/error-facts.ts";

const Quote = z.object({ quote: verbatim(z.string()) });

/** The passage that is found; undefined where there is none. */
function passageOf(quote: string, text: string) {
  const { output, issues } = placePassages(Quote.parse({ quote }), text);
  return issues.length > 0 ? undefined : { ...output.quote };
}

test("a passage is found whatever its letter case and white space, and is given as the text has it", () => {
  const text = "Seen on Monday:\n  BP 150 / 90,\tno  PAIN.";
  for (const quote of ["BP 150 / 90, no pain.", "bp 150 / 90,\nNo Pain.", "  BP 150 / 90, no pain. "]) {
    const found = passageOf(quote, text);
    assert.deepEqual(found, { text: "BP 150 / 90,\tno  PAIN.", start: 18, end: text.length });
    assert.equal(text.slice(found?.start, found?.end), found?.text);
  }
  assert.deepEqual(passageOf("on monday: bp", text), { text: "on Monday:\n  BP", start: 5, end: 20 });
});

test("what does not stand in the text is none: another word, another order, nothing at all", () => {
  const text = "Seen on Monday, no pain.";
  for (const quote of ["Seen on Tuesday", "no pain, Monday", "", "  ", "Seen on Monday, no pain.."]) {
    assert.equal(passageOf(quote, text), undefined, quote);
  }
});

test("a letter of more than one unit, and one whose small letter has more, keep the places right", () => {
  const text = "🙂 İstanbul 𝒳 end";
  assert.deepEqual(passageOf("istanbul", "x Istanbul"), { text: "Istanbul", start: 2, end: 10 });
  const found = passageOf("İSTANBUL 𝒳", text);
  assert.deepEqual(found, { text: "İstanbul 𝒳", start: 3, end: 14 });
  assert.deepEqual(passageOf("END", text), { text: "end", start: 15, end: 18 });
});

test("a model may copy < as it was shown it", () => {
  assert.deepEqual(passageOf("BP &lt; 90", "now BP < 90"), { text: "BP < 90", start: 4, end: 11 });
});

test("any part of any text that is not blank is found, and is what stands there", () => {
  const texts = fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(texts, fc.nat(30), fc.nat(30), (text, one, other) => {
      const units = [...text];
      const [from, to] = [Math.min(one, other), Math.max(one, other)];
      const part = units.slice(from, to).join("");
      fc.pre(part.trim() !== "");
      const found = passageOf(part, text);
      assert.ok(found !== undefined);
      assert.equal(text.slice(found.start, found.end), found.text);
      const folded = (value: string): string => value.trim().replaceAll(/\s+/g, " ").toLowerCase();
      const wanted = [part, part.replaceAll("&lt;", "<")].map(folded);
      assert.ok(wanted.includes(folded(found.text)));
    }),
  );
});

test("passages in lists, in objects and beside other values get their places; null stays", () => {
  const schema = z.object({
    items: z.array(z.object({ name: z.string(), quote: verbatim(z.string()).nullable() })),
    all: z.array(verbatim(z.string())),
  });
  const { output, issues } = placePassages(
    schema.parse({
      items: [
        { name: "x", quote: "b" },
        { name: "y", quote: null },
      ],
      all: ["c", "nope"],
    }),
    "a b c",
  );
  assert.deepEqual(output.items, [
    { name: "x", quote: { text: "b", start: 2, end: 3 } },
    { name: "y", quote: null },
  ]);
  assert.deepEqual({ ...output.all[0] }, { text: "c", start: 4, end: 5 });
  assert.deepEqual(
    issues.map(({ path, code }) => [path, code]),
    [["all.1", "verbatim"]],
  );
});

const Note = z.object({ id: z.string(), note: z.string() });

function pipelineOf(llmProvider: LLMProvider, notes: readonly string[], maxInputCharacters?: number) {
  const rows = notes.map((note, index) => ({ id: String(index), note }));
  return new Pipeline({
    name: "quotes",
    source: new MemorySource({ rows, primaryKeyColumn: "id", schema: Note }),
    llmProvider,
    payloadLog: "off",
    journal: "off",
    onRowError: "skip",
  }).step(
    new ExtractorStep({
      name: "extract",
      schema: z.object({ reason: verbatim(z.string()) }),
      inputMap: { text: (s) => s.raw.note },
      outputKey: "found",
      ...(maxInputCharacters !== undefined && { maxInputCharacters, onTooLong: "truncate" as const }),
    }),
  );
}

function answering(texts: readonly string[]): { readonly llmProvider: LLMProvider; readonly asked: string[] } {
  const asked: string[] = [];
  const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1, reasoningTokens: 0 };
  const complete: LLMProvider["complete"] = async ({ messages }) => {
    asked.push(messages.at(-1)?.content ?? "");
    const text = JSON.stringify({ reasoning: "r", reason: texts[asked.length - 1] });
    return await Promise.resolve({ text, finishReason: "stop", model: "m", usage });
  };
  return { llmProvider: { name: "script", fingerprint: () => "script", complete }, asked };
}

test("a step asks again for a passage that is not in the text, and gives the place of the one that is", async () => {
  const { llmProvider, asked } = answering(["severe pain", "Chest PAIN"]);
  const sink = new MemorySink({
    columnMap: {
      text: (s: { processed: { found: { reason: { text: string; start: number; end: number } } } }) =>
        s.processed.found.reason.text,
      place: (s) => [s.processed.found.reason.start, s.processed.found.reason.end],
    },
  });
  const report = await pipelineOf(llmProvider, ["Came with chest pain."]).to(sink).run();
  assert.deepEqual([report.error, report.usage.reAsks], [null, 1]);
  assert.match(asked[1] ?? "", /reason.*word for word/);
  assert.deepEqual(sink.rows, [{ text: "chest pain", place: [10, 20] }]);
});

test("a passage that stands only in what the model was not sent is none", async () => {
  const { llmProvider } = answering(["pain", "pain"]);
  const report = await pipelineOf(llmProvider, ["Came with chest pain."], 10)
    .to(new MemorySink({ columnMap: { text: (s) => s.processed.found.reason.text } }))
    .run();
  assert.deepEqual(report.failuresByCode, { INVALID_OUTPUT: 1 });
});

test("the mock gives passages, so that a step with them can be tried without a key", async () => {
  const report = await pipelineOf(new MockProvider(), [
    "A first sentence.\nA < second one.",
    "one",
    "Zwei  Sätze. Noch einer.",
  ])
    .to(new MemorySink({ columnMap: { text: (s) => s.processed.found.reason.text } }))
    .run();
  assert.deepEqual([report.successCount, report.usage.reAsks], [3, 0]);
});

test("the model is told of it: in the schema, and in the words about one", () => {
  const step = new ExtractorStep({
    name: "x",
    schema: z.object({ reason: verbatim(z.string().describe("Why they came")) }),
    inputMap: { text: (s: { note: string }) => s.note },
    outputKey: "x",
  });
  assert.match(JSON.stringify(step.render({ note: "n" }).schema.json), /Why they came[^}]*verbatim/);
});

test("an example whose passage is not in its text is rejected", () => {
  const withExample = (reason: string) => () =>
    new ExtractorStep({
      name: "x",
      schema: z.object({ reason: verbatim(z.string()) }),
      inputMap: { text: (s: { note: string }) => s.note },
      examples: [{ input: { text: "Came with pain." }, output: { reasoning: "r", reason } }],
      outputKey: "x",
    });
  assert.throws(withExample("ache"), failsWith("INVALID_OPTION", { where: "reason" }));
  assert.ok(withExample("with Pain")());
});
