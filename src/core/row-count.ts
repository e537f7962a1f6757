import type { AnySource, Parameters } from "../sources/base.ts";
import type { EventHandler } from "./events.ts";

export interface RowCountOptions {
  readonly source: AnySource;
  readonly parameters: Parameters;
  readonly limit: number;
  readonly emit: EventHandler;
}

/** Asks the source for its number of rows, beside the run. The function that it gives ends the asking. */
export function countRows({ source, parameters, limit, emit }: RowCountOptions): () => Promise<void> {
  const ending = new AbortController();
  const counting = (async (): Promise<void> => {
    try {
      const rowCount = await source.count?.({ signal: ending.signal, parameters });
      if (rowCount === undefined || ending.signal.aborted) return;
      emit({ type: "source-count", rowCount: Math.min(rowCount, limit) });
    } catch {
      // Reading the same rows says what is wrong with them, if anything is.
    }
  })();
  return async () => {
    ending.abort();
    await counting;
  };
}
