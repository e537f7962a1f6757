import type { JournalWrites } from "../contracts/journal.ts";
import type { ColumnValues, RowGroup, SinkGroups } from "../contracts/sink.ts";
import { EachError } from "../errors/sink.ts";
import { fromReversible, reversible, toJSONValue } from "../json/json.ts";
import { gathered } from "./gathered.ts";
import { firstTwins } from "./items-of-row.ts";

/** The rows of a target that one row of the source has, by texts that tell them apart. */
export interface RowsOfGroup {
  readonly pk: string;
  /** Those that may be there from earlier runs. */
  readonly before: readonly string[];
  readonly now: readonly string[];
  /** Of `before` those that are not in `now`, by the columns of the merge keys. */
  readonly gone: readonly ColumnValues[];
}

/**
 * Knows from the journal which rows of a target are whose, where a row of the source may have several, so that those are deleted which a row
 * no longer has, and no others. Before rows are written the journal has them beside the old ones: it knows all that may be in the target.
 */
export class ChildRows {
  readonly #children: JournalWrites["children"];
  readonly #sink: string;
  readonly #keys: readonly string[];
  readonly #find: (pk: string) => Promise<readonly string[] | undefined>;

  constructor(children: JournalWrites["children"], sink: string, { mergeKeys }: SinkGroups) {
    this.#children = children;
    this.#sink = sink;
    this.#keys = mergeKeys;
    this.#find = gathered(async (pks) => await children.find(sink, pks));
  }

  /** @throws {EachError} if two rows have the same merge keys: one would take the place of the other */
  async compare({ pk, rows }: RowGroup): Promise<RowsOfGroup> {
    const before = (await this.#find(pk)) ?? [];
    const now = rows.map((values) => this.#textOf(values));
    requireOwnKeys(now);
    const kept = new Set(now);
    return { pk, before, now, gone: before.filter((text) => !kept.has(text)).map(valuesIn) };
  }

  /** To be called before rows are written. */
  async beforeWrite(groups: readonly RowsOfGroup[]): Promise<void> {
    const growing = groups.filter(({ before, now }) => hasOthers(now, before));
    await this.#save(growing.map(({ pk, before, now }) => ({ pk, children: [...new Set([...before, ...now])] })));
  }

  /** To be called when rows are written. */
  async written(groups: readonly RowsOfGroup[]): Promise<void> {
    const shrinking = groups.filter(({ gone }) => gone.length > 0);
    await this.#save(shrinking.map(({ pk, now }) => ({ pk, children: now })));
  }

  /** To be called for rows that were to be written, and that the target rejected. */
  async notWritten({ pk, before, now }: RowsOfGroup): Promise<void> {
    if (hasOthers(now, before)) await this.#save([{ pk, children: before }]);
  }

  async #save(rows: Parameters<JournalWrites["children"]["save"]>[1]): Promise<void> {
    if (rows.length > 0) await this.#children.save(this.#sink, rows);
  }

  #textOf(values: ColumnValues): string {
    return JSON.stringify(
      toJSONValue(Object.fromEntries(this.#keys.map((key) => [key, values[key] ?? null])), reversible),
    );
  }
}

function requireOwnKeys(texts: readonly string[]): void {
  const twins = firstTwins(texts);
  if (twins === undefined) return;
  const { index, otherIndex, text } = twins;
  const problem = `are the same for the items ${otherIndex} and ${index}`;
  const hint = "let them have a part that tells items apart, as the key of each does; the index, say";
  const detail = `each: mergeKeys ${problem}: ${text}`;
  throw new EachError("mergeKeys", problem, { detail, facts: { index, otherIndex, hint } });
}

function hasOthers(texts: readonly string[], than: readonly string[]): boolean {
  const known = new Set(than);
  return texts.some((text) => !known.has(text));
}

function valuesIn(text: string): ColumnValues {
  return fromReversible(JSON.parse(text)) as ColumnValues; // as it was saved
}
