/** The options of a run over a Batch API. */
export interface BatchOptions {
  /** True to stay until all rows have ended; false ends the run as soon as everything is handed over. @default false */
  readonly wait?: boolean | undefined;
  /** How often a batch is asked for while the run waits, in milliseconds. @default 60,000 */
  readonly batchPollMs?: number | undefined;
  /**
   * The consequence of a request that came back without an answer, for its batch has expired or was cancelled, or the service failed: `again` in
   * another batch, at most twice, then its row fails; `online`; or its row fails at once. @default "again"
   */
  readonly onBatchMiss?: "again" | "online" | "fail" | undefined;
  /** Fewer requests than these are asked online: a batch may take a day. @default 100 */
  readonly batchMinRequests?: number | undefined;
  /** True to leave the files of a batch at the service. @default false: they are deleted once every answer is in the journal */
  readonly keepBatchFiles?: boolean | undefined;
  /** The time between the two lists by which a batch is looked for of which it is not known if it was created, in milliseconds. @default 60,000 */
  readonly batchLookAgainMs?: number | undefined;
}

/** The same, with every default filled in. */
export type ResolvedBatchOptions = { readonly [Name in keyof BatchOptions]-?: NonNullable<BatchOptions[Name]> };

export function resolveBatchOptions({
  wait = false,
  batchPollMs = 60_000,
  onBatchMiss = "again",
  batchMinRequests = 100,
  keepBatchFiles = false,
  batchLookAgainMs = 60_000,
}: BatchOptions = {}): ResolvedBatchOptions {
  return { wait, batchPollMs, onBatchMiss, batchMinRequests, keepBatchFiles, batchLookAgainMs };
}
