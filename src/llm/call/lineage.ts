import type { Lineage } from "../../contracts/state.ts";
import type { EndedCall, RowLayer } from "./row-call.ts";

/** Adds up what the row's calls of this step were and cost. */
export const lineage: RowLayer = (next) => async (call) => {
  try {
    return await next(call);
  } finally {
    call.row.lineage = lineageOf(call.row.ended);
  }
};

/** Null before the first answer: what failed before it has no model. */
function lineageOf(ended: readonly EndedCall[]): Lineage | null {
  let sum: Lineage | null = null;
  for (const [index, call] of ended.entries()) sum = added(sum, call, index + 1);
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
