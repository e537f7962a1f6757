import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import {
  ClassifierStep,
  ExtractorStep,
  LLMOutputBase,
  LLMStep,
  type Step,
  SummarizerStep,
  TransformStep,
} from "../../src/index.ts";
import { MockProvider } from "../../src/llm/providers/mock.ts";
import { stepContract } from "../../src/testing/step-contract.ts";

interface State {
  readonly note: string;
}

const inputMap = { text: (s: State) => s.note };
const taxonomy = [{ name: "A", definition: "anything" }] as const;
const steps: readonly (() => Step<State, string, unknown>)[] = [
  () => new ClassifierStep({ name: "classify", outputKey: "x", inputMap, taxonomy }),
  () => new SummarizerStep({ name: "summarize", outputKey: "x", inputMap }),
  () =>
    new ExtractorStep({ name: "extract", outputKey: "x", inputMap, schema: z.object({ drug: z.string().nullable() }) }),
  () => new LLMStep({ name: "own", outputKey: "x", inputMap, prompt: "Rate it.", schema: LLMOutputBase }),
  () => new TransformStep({ name: "transform", outputKey: "x", transform: (s: State) => s.note.length }),
];

const llmProvider = new MockProvider();
const state = (): State => ({ note: "Fever for two days. Given paracetamol 500 mg." });

for (const create of steps) {
  describe(`${create().constructor.name} keeps the contract of a step`, () => {
    for (const { name, check } of stepContract({ create, state, llmProvider })) test(name, check);
  });
}

test("a step that changes the state fails the check that names it", async () => {
  const mutating: Step<{ note: string }, "x", number> = {
    name: "mutating",
    outputKey: "x",
    run: async (s) => {
      s.note = "changed";
      return 1;
    },
  };
  const failed: string[] = [];
  for (const { name, check } of stepContract({ create: () => mutating, state, llmProvider })) {
    await check().catch(() => failed.push(name));
  }
  assert.deepEqual(failed, ["it returns what it adds, and changes nothing of the state"]);
});
