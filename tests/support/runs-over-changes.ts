import assert from "node:assert/strict";
import type { RowOutcome } from "../../src/contracts/events.ts";
import type { AnySource, ChangePlace } from "../../src/contracts/source.ts";
import { ChangeProgress } from "../../src/pipeline/change-progress.ts";
import { noAbort } from "./sqlite.ts";

/** What happens while a run reads. */
export interface During {
  /** After a row that changed was read, while the reading of others is open. */
  readonly row?: (count: number) => Promise<void>;
  /** While rows are on their way. */
  readonly rows?: () => void | Promise<void>;
}

/** Runs over what changed in a source, without steps or a journal. The rows have the columns `id` and `note`. */
export class RunsOverChanges {
  /** The notes, by key. */
  readonly target = new Map<string, unknown>();
  readonly #source: Pick<AnySource, "changes" | "find">;
  #known: { place: ChangePlace | undefined; due: readonly string[] } = { place: undefined, due: [] };

  constructor(source: Pick<AnySource, "changes" | "find">) {
    this.#source = source;
  }

  /** Reads as a run does; gives the number of rows. */
  async run(outcomeOf: (position: number) => RowOutcome, during: During = {}): Promise<number> {
    const progress = new ChangeProgress(this.#known.place, this.#known.due);
    const context = { signal: noAbort(), parameters: {} };
    const ends: (() => void)[] = [];
    const due = new Set(this.#known.due);
    const take = (raw: Readonly<Record<string, unknown>>, place: ChangePlace | null): void => {
      const position = ends.length + 1;
      const id = String(raw["id"]);
      due.delete(id);
      progress.read(position, id, place);
      ends.push(() => {
        const outcome = outcomeOf(position);
        if (outcome === "written" || outcome === "unchanged") this.target.set(id, raw["note"]);
        progress.ended(position, outcome);
      });
    };
    assert.ok(this.#source.changes !== undefined);
    for await (const row of this.#source.changes.read(this.#known.place?.exact, context)) {
      if (!("error" in row)) take(row.raw, row.place);
      await during.row?.(ends.length);
    }
    await during.rows?.();
    for await (const row of (await this.#source.find?.([...due], context)) ?? [])
      if (!("error" in row)) take(row.raw, null);
    for (const end of ends.toReversed()) end();
    this.#known = { place: progress.place, due: progress.due };
    return ends.length;
  }
}
