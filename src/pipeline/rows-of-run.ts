import type { EventHandler, RunEvent } from "../contracts/events.ts";
import type { JournalSession } from "../contracts/journal.ts";
import type { AnySource } from "../contracts/source.ts";
import type { EngineOptions } from "../engine/engine-options.ts";
import { ChangedRows, forgetChanges } from "./changed-rows.ts";
import type { RunOptions } from "./options.ts";
import { requireChanges } from "./require-changes.ts";
import type { ResolvedPipeline } from "./resolve.ts";

/** The rows that a run reads, and what it keeps of that. */
export interface RowsOfRun {
  readonly source: (journal: JournalSession | undefined, emit: EventHandler, signal: AbortSignal) => Promise<AnySource>;
  readonly onEvent: RunOptions["onEvent"];
  readonly onOpened?: EngineOptions["onOpened"];
  readonly save?: (() => Promise<void>) | undefined;
}

/** Those that changed and those that are due, where the source can tell; else all of them. */
export function rowsOfRun(pipeline: ResolvedPipeline, { onEvent }: Pick<RunOptions, "onEvent">): RowsOfRun {
  const { name, source, settings } = pipeline;
  const { changes } = source;
  if (changes === undefined) {
    const all = async (journal: JournalSession | undefined): Promise<AnySource> => {
      if (journal !== undefined) await forgetChanges(journal, name); // this run may write rows otherwise, or fail
      return source;
    };
    return { source: all, onEvent };
  }
  let rows: ChangedRows | undefined;
  return {
    source: async (journal, emit, signal) => {
      await requireChanges(pipeline, { parameters: settings.parameters, signal });
      if (journal === undefined) return source; // it was required
      rows = await ChangedRows.begin({ pipeline, changes, journal, emit });
      return rows.source;
    },
    onEvent: (event: RunEvent) => {
      rows?.observe(event);
      return onEvent?.(event);
    },
    onOpened: (sessions) => rows?.targetsOpened(sessions),
    save: async () => await rows?.save(),
  };
}
