import { drawsFor, keyOf } from "../request-hash.ts";
import { assertName, pick } from "../shares.ts";
import { Tally } from "../tally.ts";
import type { SimulatorBatchRequest } from "./words.ts";

/** The faults of requests for files and batches, in the order in which their shares are laid on the scale from 0 to 1. */
export const batchFaultNames = [
  "rateLimit",
  "serverError",
  "unavailable",
  "connectionReset",
  "lostAnswer",
  "tornDownload",
  "cutDownload",
  "shortDownload",
] as const;

export type SimulatorBatchFaultName = (typeof batchFaultNames)[number];

/** Shares of the requests for files and batches that go wrong, 0 to 1 each and at most 1 together. */
export interface SimulatorBatchFaults {
  /** 429. */
  readonly rateLimit?: number | undefined;
  /** 500. */
  readonly serverError?: number | undefined;
  /** 503. */
  readonly unavailable?: number | undefined;
  /** The connection is reset, and nothing is done. */
  readonly connectionReset?: number | undefined;
  /** The operation is carried out, and the connection is reset in place of an answer. */
  readonly lostAnswer?: number | undefined;
  /** Half of a file, then the connection ends: the headers named its whole length. */
  readonly tornDownload?: number | undefined;
  /** Half of a file, and a proper end: the headers name no length. */
  readonly cutDownload?: number | undefined;
  /** The same, with whole lines only. */
  readonly shortDownload?: number | undefined;
}

/** Chooses the fault of a request; undefined leaves it to the shares. */
export type BatchFaultFunction = (
  request: SimulatorBatchRequest,
) => SimulatorBatchFaultName | undefined | Promise<SimulatorBatchFaultName | undefined>;

interface FaultChoice {
  readonly faults?: SimulatorBatchFaults | undefined;
  readonly fault?: BatchFaultFunction | undefined;
}

const ofDownloads: ReadonlySet<SimulatorBatchFaultName> = new Set(["tornDownload", "cutDownload", "shortDownload"]);
const maxRemembered = 100_000;

/** Chooses the faults of requests for files and batches. */
export class RequestFaults {
  readonly #seed: number;
  #times = new Tally(maxRemembered);

  constructor(seed: number) {
    this.#seed = seed;
  }

  reset(): void {
    this.#times = new Tally(maxRemembered);
  }

  /** @throws {OptionError} if the function of the options returns a name that is none of a fault */
  async faultOf(
    { operation, number, id }: Omit<SimulatorBatchRequest, "timesSeen">,
    { faults = {}, fault: choose }: FaultChoice,
  ): Promise<SimulatorBatchFaultName | undefined> {
    const key = keyOf(`${operation}/${id ?? ""}`);
    const timesSeen = this.#times.meet(key);
    const chosen = await choose?.({ operation, number, id, timesSeen });
    if (chosen !== undefined) assertName("batch.fault", batchFaultNames, chosen);
    const draw = drawsFor(this.#seed, key, `batch/${timesSeen}`).share(0);
    const fault = chosen ?? pick(faults, batchFaultNames, draw);
    return fault !== undefined && ofDownloads.has(fault) && operation !== "download" ? undefined : fault;
  }
}
