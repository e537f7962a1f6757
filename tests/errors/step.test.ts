import { test } from "node:test";
import { InputTooLongError, StepFailedError } from "../../src/errors/step.ts";
import type { StepContext } from "../../src/contracts/step.ts";
import { ClassifierStep } from "../../src/steps/classifier.ts";
import { type InputValue, LLMStep, type LLMStepOptions } from "../../src/steps/llm-step.ts";
import { applies } from "../../src/engine/run-step.ts";
import { GlobalState } from "../../src/engine/state.ts";
import { LLMOutputBase } from "../../src/validation/base-schemas.ts";
import { assertSentences } from "../support/error-sentences.ts";

interface State {
  readonly text: unknown;
}
const options = { name: "read note", outputKey: "out", inputMap: { text: ({ text }: State) => text as InputValue } }; // some are none

function rendering(text: unknown, more: Partial<LLMStepOptions<State, "out", typeof LLMOutputBase>> = {}) {
  const step = new LLMStep<State, "out", typeof LLMOutputBase>({
    ...{ ...options, outputKey: "out", prompt: "p", schema: LLMOutputBase, ...more },
  });
  return () => step.render({ text });
}

test("the sentences about a step's inputs", async (t) => {
  const throws = (): never => {
    throw new TypeError("Jane Doe");
  };
  await assertSentences(t, [
    rendering(null),
    rendering({ name: "Jane Doe" }),
    rendering(new Date(Number.NaN)),
    rendering("x", { inputMap: { text: throws } }),
    rendering("Jane Doe", { maxInputCharacters: 3 }),
    () => new InputTooLongError("read note", 9, 8),
  ]);
});

test("the sentences about a step that can't say if it applies", async (t) => {
  const deciding = (when: () => unknown) => () => {
    const step = new LLMStep({ ...options, prompt: "p", schema: LLMOutputBase, when: when as () => boolean }); // some give others
    return applies(step, new GlobalState({ pk: "1", raw: {}, processed: {}, log: [], startedAt: new Date(0) }));
  };
  const throws = (): never => {
    throw new TypeError("Jane Doe");
  };
  await assertSentences(t, [deciding(throws), deciding(() => "Jane Doe"), deciding(() => null)]);
});

test("the sentences about a step that failed", async (t) => {
  const step = new ClassifierStep({
    ...{ ...options, maxRetries: 1 },
    taxonomy: [{ name: "Billing", definition: "Bills" }],
  });
  const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1, reasoningTokens: 0 };
  const answering = (text: string) => async () => {
    const llm: StepContext["llm"] = {
      retryCount: 0,
      lineage: null,
      ask: async () => await Promise.resolve({ text, finishReason: "stop", model: "mock", usage }),
    };
    return await step.run({ text: "a bill" }, { llm, signal: new AbortController().signal });
  };
  await assertSentences(t, [
    answering("Jane Doe"),
    answering('{"reasoning":"r","category":"Biling","confidence":1.5}'),
    answering('{"reasoning":"r","category":5}'),
    () => new StepFailedError("own", new TypeError("Jane Doe")),
    () => new StepFailedError("own", "Jane Doe"),
  ]);
});
