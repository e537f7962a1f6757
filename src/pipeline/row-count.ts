import type { AnySource, Parameters } from "../contracts/source.ts";
import type { EarlierRun, EventHandler } from "../contracts/events.ts";
import { within } from "../engine/ending.ts";

/** A count that ignores its abort must not delay the run's end by more than this. */
const endWithinMs = 1000;

export interface RowCountOptions {
  readonly source: AnySource;
  readonly parameters: Parameters;
  readonly limit: number;
  readonly emit: EventHandler;
  /** Looks for the run before this one. @default nobody does */
  readonly earlier?: (() => Promise<EarlierRun | undefined>) | undefined;
}

/**
 * Asks the source for its number of rows, beside the run. The function that it returns aborts the count, and waits a moment
 * for the source to release what it holds.
 */
export function countRows({
  source,
  parameters,
  limit,
  emit,
  earlier: findEarlier,
}: RowCountOptions): () => Promise<void> {
  const ending = new AbortController();
  const counting = (async (): Promise<void> => {
    try {
      const rowCount = await source.count?.({ signal: ending.signal, parameters, limit });
      if (!Number.isSafeInteger(rowCount) || rowCount === undefined || rowCount < 0 || ending.signal.aborted) return;
      const earlier = (await findEarlier?.()) ?? null;
      if (ending.signal.aborted) return;
      emit({ type: "source-count", rowCount: Math.min(rowCount, limit), earlier });
    } catch {
      // Reading the same rows says what is wrong with them, if anything is.
    }
  })();
  return async () => {
    ending.abort();
    await within(endWithinMs, counting);
  };
}
