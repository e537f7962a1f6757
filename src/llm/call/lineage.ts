import type { Lineage } from "../../contracts/state.ts";
import type { EndedCall } from "./row-call.ts";

/** Adds up what the row's calls of a step were and cost. Null before the first answer: what failed before it has no model. */
export function lineageOf(ended: readonly EndedCall[]): Lineage | null {
  let sum: Lineage | null = null;
  let calls = 0;
  for (const call of ended) sum = added(sum, call, (calls += 1));
  return sum;
}

function added(
  sum: Lineage | null,
  { model = sum?.model, promptHash, usage }: EndedCall,
  calls: number,
): Lineage | null {
  if (model === undefined) return sum;
  const { inputTokens = 0, cachedTokens = 0, outputTokens = 0 } = sum ?? {};
  return {
    model,
    promptHash,
    inputTokens: inputTokens + usage.inputTokens,
    cachedTokens: cachedTokens + usage.cachedTokens,
    outputTokens: outputTokens + usage.outputTokens,
    calls,
  };
}
