import type { CallSubject, LLMProvider, LLMRequest, LLMResponse } from "./provider.ts";

/** One request to a model, on behalf of one row and one step. */
export interface Call extends CallSubject {
  readonly provider: LLMProvider;
  readonly request: LLMRequest;
  /** Aborted when the run gives up: the call is to end within moments. */
  readonly signal: AbortSignal;
}

/** Makes a call. Rejects where no answer came. */
export type Ask<Asked extends Call = Call> = (call: Asked) => Promise<LLMResponse>;

/** Adds something to the way of a call: it is given what comes next on that way, and returns what is asked instead. */
export type Layer<Asked extends Call = Call> = (next: Ask<Asked>) => Ask<Asked>;
