import { WaitingForBatchError } from "../../errors/batch.ts";
import { copyOf, ProviderError } from "../provider-error.ts";
import type { StoredAnswer } from "../../contracts/journal.ts";
import type { RowAsk, RowCall } from "./row-call.ts";

/** The state of a request that was handed to a Batch API. `attempt` counts from 1. */
export type BatchedRequest =
  | { readonly state: "open" }
  /** Its batch has ended. `answer`: came back with it. `error`: the row's own. Neither: it was missed. */
  | {
      readonly state: "collected";
      readonly attempt: number;
      readonly answer?: StoredAnswer | undefined;
      readonly error?: ProviderError | undefined;
    };

export interface BatchRouteOptions {
  readonly find: (fingerprint: string) => Promise<BatchedRequest | undefined>;
  /** Called once the answer of a batch counts as a call of this run. */
  readonly counted: (fingerprint: string) => Promise<void>;
  /** Keeps the request for a batch. @default nothing is kept: it is asked online */
  readonly park?: ((call: RowCall, parked: ParkedRequest) => Promise<void>) | undefined;
  /** The most that requests can cost which earlier runs have handed over, and that were not collected. */
  readonly committed: () => number;
  /** `again`: in a further batch, at most twice. */
  readonly onMiss: "again" | "online" | "fail";
}

/** A request that is kept for a batch. */
export interface ParkedRequest {
  readonly fingerprint: string;
  /** Counts from 1. */
  readonly attempt: number;
  /** The most that it can cost there; 0 without prices. */
  readonly worstCase: number;
}

/** A request is in so many batches at most. */
const mostAttempts = 3;

export interface BatchWays {
  readonly online: RowAsk;
  readonly collectedBy: (answer: StoredAnswer) => RowAsk;
  /** Takes the most that a request can cost in a batch out of the run's limit, and returns it. Throws where it does not fit. */
  readonly commit: (call: RowCall) => number;
}

/**
 * Asks what the journal does not have: by a batch, or online. An answer that a batch brought counts as a call of the run in which a row first
 * uses it: `collected` is the way of such a call.
 */
export function batchRoute(
  { find, counted, park, onMiss }: BatchRouteOptions,
  { online, collectedBy, commit }: BatchWays,
): RowAsk {
  const handOver = async (call: RowCall, fingerprint: string, attempt: number): ReturnType<RowAsk> => {
    if (park === undefined) return await online(call);
    await park(call, { fingerprint, attempt, worstCase: commit(call) });
    throw new WaitingForBatchError("the request waits for a batch");
  };
  return async (call) => {
    const { fingerprint } = call;
    if (fingerprint === undefined) return await online(call);
    const known = await find(fingerprint);
    if (known === undefined) return await handOver(call, fingerprint, 1);
    if (known.state === "open") throw new WaitingForBatchError("the request is in a batch that has not ended");
    const { attempt, answer, error } = known;
    if (answer !== undefined) {
      const given = await collectedBy(answer)(call);
      await counted(fingerprint);
      return given;
    }
    if (error !== undefined) throw copyOf(error);
    if (onMiss === "online") return await online(call);
    if (onMiss === "again" && attempt < mostAttempts) return await handOver(call, fingerprint, attempt + 1);
    const hint = 'give onBatchMiss: "online", or run without --batch';
    throw new ProviderError("row", "PROVIDER_FAILED", `no answer came in ${attempt} batches`, { hint });
  };
}
