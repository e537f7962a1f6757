import type { JournalContents } from "../contracts/journal-upkeep.ts";
import { KeySet } from "../files/key-set.ts";
import type { Look } from "./look.ts";
import { pagesOf, type RunAge } from "./runs.ts";

/**
 * The answers that rows used last, in a temporary database: they are as many as the journal has rows. Version 0.1 did not keep which answers a
 * row used: until each of its rows has ended once since, any of its answers may be one that a row uses.
 */
export class UsedAnswers {
  readonly #keys = new KeySet();
  #isOlderUseKnown = true;

  /** `isMeant`: the sinks whose rows count. */
  static async in(
    { contents }: Pick<Look, "contents">,
    runs: ReadonlyMap<string, RunAge>,
    isMeant: (sinkKey: string) => boolean,
    signal: AbortSignal,
  ): Promise<UsedAnswers> {
    const used = new UsedAnswers();
    try {
      const counts = (await contents.rowCounts()).filter(({ sinkKey }) => isMeant(sinkKey));
      used.#isOlderUseKnown = !hasUnseenRows(contents, runs, counts, isMeant);
      for (const sinkKey of new Set(counts.map((each) => each.sinkKey)))
        await used.#add(contents, sinkKey, runs, signal);
      return used;
    } catch (error) {
      used.close();
      throw error;
    }
  }

  has(fingerprint: string): boolean {
    return this.#keys.has([Buffer.from(fingerprint, "hex")]);
  }

  /** False while some row has not ended since version 0.1. */
  get isOlderUseKnown(): boolean {
    return this.#isOlderUseKnown;
  }

  close(): void {
    this.#keys.close();
  }

  async #add(
    contents: JournalContents,
    sinkKey: string,
    runs: ReadonlyMap<string, RunAge>,
    signal: AbortSignal,
  ): Promise<void> {
    for await (const page of pagesOf(async (request) => await contents.uses(sinkKey, request))) {
      signal.throwIfAborted();
      for (const { outcome, runId, fingerprints } of page) {
        for (const each of fingerprints ?? []) this.#keys.add([Buffer.from(each, "hex")], 0);
        // A row that failed before its first call has used nothing in a later version, either.
        const isOlder = fingerprints === null && (outcome === "written" || runs.get(runId)?.version === null);
        if (isOlder) this.#isOlderUseKnown = false;
      }
    }
  }
}

/** True if 0.1 wrote rows to a sink that keeps none, so that nothing is known of them, and no later run has taken all of them. */
function hasUnseenRows(
  { sinkKey }: JournalContents,
  runs: ReadonlyMap<string, RunAge>,
  counts: Awaited<ReturnType<JournalContents["rowCounts"]>>,
  isMeant: (sinkKey: string) => boolean,
): boolean {
  const seen = new Set(counts.flatMap((each) => (each.outcome === "written" ? [each.sinkKey] : [])));
  const keysOf = ({ sinks }: RunAge): readonly string[] => sinks.map((sink) => sinkKey(sink));
  for (const run of runs.values()) {
    if (run.version !== null && run.isWhole) for (const key of keysOf(run)) seen.add(key);
  }
  return [...runs.values()].some((run) => {
    if (run.version !== null || run.status === "refused") return false;
    return keysOf(run).some((key) => isMeant(key) && !seen.has(key));
  });
}
