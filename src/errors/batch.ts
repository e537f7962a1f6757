import { LLMEtlError } from "./llm-etl-error.ts";

/** A request that waits in a batch of a service's Batch API: its row is for a later run. */
export class WaitingForBatchError extends LLMEtlError {
  constructor(problem: string, facts: Readonly<Record<string, string | number>> = {}) {
    const hint = "run the same command again later: it collects the answers and goes on";
    super("WAITING_FOR_BATCH", "later", problem, { facts: { ...facts, hint } });
  }
}
