import assert from "node:assert/strict";
import { resolveAdmission } from "../llm/limits/options.ts";
import { Budget } from "../llm/call/budget.ts";
import { LLMClient } from "../llm/call/client.ts";
import type { LLMProvider } from "../contracts/provider.ts";
import type { Step, StepContext } from "../contracts/step.ts";
import type { ContractCheck } from "./base.ts";

export interface StepContractOptions<In, Key extends string, Out> {
  /** Makes a new step. */
  readonly create: () => Step<In, Key, Out>;
  /** Makes a state that the step accepts. */
  readonly state: () => In;
  /** The provider for a step that asks a model. */
  readonly llmProvider: LLMProvider;
}

/**
 * The promises of every step, as checks for any test runner.
 *
 * @example for (const { name, check } of stepContract({ create, state, llmProvider })) test(name, check);
 */
export function stepContract<In, Key extends string, Out>(
  options: StepContractOptions<In, Key, Out>,
): readonly ContractCheck[] {
  const { create, state, llmProvider } = options;
  const contextOf = (step: Step<In, Key, Out>): StepContext => {
    const { signal } = new AbortController();
    const client = new LLMClient({
      pipeline: "contract",
      concurrency: 4,
      admission: resolveAdmission(),
      budget: new Budget({ maxCalls: Infinity, maxCost: Infinity }),
      payloadLog: undefined,
      journal: undefined,
      emit: () => {},
    });
    return { signal, llm: client.conversation({ step: step.name, pk: "1", provider: llmProvider, signal }) };
  };
  return [
    {
      name: "it has a name and an output key",
      check: async () => {
        const { name, outputKey } = create();
        assert.ok(name.trim() !== "" && outputKey.trim() !== "");
      },
    },
    {
      name: "it returns what it adds, and changes nothing of the state",
      check: async () => {
        const step = create();
        const given = state();
        const before = JSON.stringify(given);
        const output = await step.run(given, contextOf(step));
        assert.notEqual(output, undefined);
        assert.equal(JSON.stringify(given), before);
      },
    },
    {
      name: "rows in flight at once do not disturb each other",
      check: async () => {
        const step = create();
        const alone = await step.run(state(), contextOf(step));
        const together = await Promise.all(
          Array.from({ length: 4 }, async () => await step.run(state(), contextOf(step))),
        );
        for (const output of together) assert.deepEqual(output, alone);
      },
    },
  ];
}
