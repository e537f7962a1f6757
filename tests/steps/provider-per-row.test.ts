import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { GlobalState, type LLMProvider, Pipeline, SummarizerStep } from "../../src/index.ts";
import { withProviderFor } from "../../src/engine/run-step.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { resolvePipeline } from "../../src/pipeline/resolve.ts";
import { MemorySink } from "../../src/testing/memory-sink.ts";
import { MemorySource } from "../../src/testing/memory-source.ts";
import { failsWith } from "../support/error-facts.ts";

const Note = z.object({ id: z.string(), note: z.string() });
type Note = z.output<typeof Note>;
const rows: readonly Note[] = ["a", "bb", "ccc", "dddd"].map((note, index) => ({ id: String(index + 1), note }));

/** A provider that notes the rows that it is asked about. */
function watched(name: string): { readonly provider: LLMProvider; readonly asked: string[] } {
  const mock = new MockProvider();
  const asked: string[] = [];
  const complete: LLMProvider["complete"] = async (request, signal) => {
    asked.push(/<text>\n(\w+)\n/.exec(request.messages.at(-1)?.content ?? "")?.[1] ?? "?");
    return await mock.complete(request, signal);
  };
  return { provider: { name, fingerprint: () => name, complete }, asked };
}

interface Given {
  readonly choose: (state: { readonly raw: Note }) => string;
  readonly llmProviders: Readonly<Record<string, LLMProvider>>;
  readonly when?: ((state: { readonly raw: Note }) => boolean) | undefined;
}

function pipelineOf({ choose, llmProviders, when }: Given, ofPipeline: LLMProvider = watched("unused").provider) {
  return new Pipeline({
    name: "per-row",
    source: new MemorySource({ rows, primaryKeyColumn: "id", schema: Note }),
    llmProvider: ofPipeline,
    payloadLog: "off",
    journal: "off",
    onRowError: "skip",
  })
    .step(
      new SummarizerStep({
        name: "summarize",
        when,
        llmProviders,
        llmProvider: choose,
        inputMap: { text: (s: { readonly raw: Note }) => s.raw.note },
        outputKey: "summary",
      }),
    )
    .to(new MemorySink({ columnMap: { text: (s) => s.processed.summary?.text } }));
}

test("each row asks the provider that the step chooses for it, and no other", async () => {
  const [small, large, ofPipeline] = [watched("small"), watched("large"), watched("of the pipeline")];
  const llmProviders = { small: small.provider, large: large.provider };
  const choose = (s: { readonly raw: Note }): string => (s.raw.note.length > 2 ? "large" : "small");
  const report = await pipelineOf({ choose, llmProviders }, ofPipeline.provider).run();
  assert.deepEqual([report.error, report.successCount], [null, 4]);
  assert.deepEqual(
    [small.asked.toSorted(), large.asked.toSorted(), ofPipeline.asked],
    [["a", "bb"], ["ccc", "dddd"], []],
  );
});

test("a row to which the step does not apply is asked of none, and nothing is chosen for it", async () => {
  const small = watched("small");
  const chosenFor: string[] = [];
  const choose = (s: { readonly raw: Note }): string => {
    chosenFor.push(s.raw.id);
    return "small";
  };
  const when = (s: { readonly raw: Note }): boolean => s.raw.id !== "2";
  const report = await pipelineOf({ choose, llmProviders: { small: small.provider }, when }).run();
  assert.deepEqual([report.successCount, report.notApplied], [4, { summarize: 1 }]);
  assert.deepEqual(small.asked.toSorted(), ["a", "ccc", "dddd"]);
  assert.deepEqual(new Set(chosenFor.slice(-3)), new Set(["1", "3", "4"]));
});

for (const [what, choose, facts] of [
  ["gives another name", () => "huge", { expected: 'one of "small"', got: "another name" }],
  ["gives a name that every object has", () => "toString", { got: "another name" }],
  ["gives a promise", () => Promise.resolve("small"), { got: "a promise" }],
  ["throws", () => JSON.parse("{"), { thrown: "SyntaxError" }],
] as const) {
  test(`a choice that ${what} for one row fails that row without a call`, async () => {
    const small = watched("small");
    const llmProviders = { small: small.provider };
    const chooseOne = (s: { readonly raw: Note }): string => (s.raw.id === "3" ? (choose() as string) : "small"); // as in JavaScript
    const step = new SummarizerStep({
      ...{ name: "x", outputKey: "x", llmProviders, llmProvider: chooseOne },
      inputMap: { text: (s: { readonly raw: Note }) => s.raw.note },
    });
    const third = { pk: "3", raw: rows[2] ?? {}, processed: {}, log: [], startedAt: new Date() };
    assert.throws(
      () => withProviderFor({ step, provider: small.provider, choices: llmProviders }, new GlobalState(third)),
      failsWith("PROVIDER_CHOICE_FAILED", { step: "x", where: "llmProvider", ...facts }),
    );
    const report = await pipelineOf({ choose: chooseOne, llmProviders }).run();
    assert.deepEqual([report.successCount, report.skippedCount], [3, 1]);
    assert.deepEqual(report.failuresByCode, { PROVIDER_CHOICE_FAILED: 1 });
    assert.deepEqual(small.asked.toSorted(), ["a", "bb", "dddd"]);
  });
}

test("a choice that no row can make is found by check and run before the first call", async () => {
  const small = watched("small");
  const pipeline = pipelineOf({ choose: () => "smal", llmProviders: { small: small.provider } });
  const facts = { where: "llmProvider of summarize", got: "another name" };
  await assert.rejects(pipeline.run(), failsWith("MAP_MISMATCH", facts));
  const { findings } = await pipeline.check();
  assert.ok(findings.some(({ status, facts: found }) => status === "problem" && found?.["where"] === facts.where));
  assert.deepEqual(small.asked, []);
});

test("check and the limits of cost know every provider that may be asked", async () => {
  const prices = { currency: "USD", inputPerMillion: 1, cachedInputPerMillion: 1, outputPerMillion: 2 };
  const priced = { ...watched("small").provider, prices };
  const free = watched("large").provider;
  const pipeline = pipelineOf({ choose: () => "small", llmProviders: { small: priced, large: free } }, priced);
  const { findings, prompts } = await pipeline.check();
  const subjects = new Set(findings.filter(({ area }) => area === "providers").map(({ subject }) => subject));
  assert.ok(subjects.has("provider small") && subjects.has("provider large"));
  assert.equal(prompts[0]?.provider, "small");
  await assert.rejects(pipeline.run({ maxCost: 1 }), failsWith("INVALID_OPTION", { provider: "large" }));
});

test("a provider for all, as of a replay, is asked instead", () => {
  const [small, forAll] = [watched("small").provider, watched("for all").provider];
  const step = new SummarizerStep({
    ...{ name: "x", outputKey: "x", llmProviders: { small }, llmProvider: () => "small" },
    inputMap: { text: (s: { readonly raw: Note }) => s.raw.note },
  });
  const source = new MemorySource({ rows, primaryKeyColumn: "id", schema: Note });
  const options = { name: "x", source, llmProvider: small, journal: "off" } as const;
  const { steps, providers } = resolvePipeline(
    { options, steps: [step], destinations: [{ sink: new MemorySink({ columnMap: { id: () => 1 } }) }] },
    {},
    forAll,
  );
  assert.deepEqual([steps[0]?.provider.name, steps[0]?.choices, providers.length], ["for all", undefined, 1]);
});

for (const [what, wrong, where] of [
  ["a function without providers", { llmProvider: () => "small" }, "llmProviders"],
  ["providers without a function", { llmProviders: { small: new MockProvider() } }, "llmProvider"],
  ["no providers", { llmProviders: {}, llmProvider: () => "small" }, "llmProviders"],
  ["what is no provider", { llmProviders: { small: {} }, llmProvider: () => "small" }, "llmProviders"],
] as const) {
  test(`${what} is rejected at construction`, () => {
    const options = { name: "x", outputKey: "x", inputMap: { text: () => "t" }, ...(wrong as object) };
    assert.throws(() => new SummarizerStep(options), failsWith("INVALID_OPTION", { where }));
  });
}
