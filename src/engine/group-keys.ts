import type { ColumnMap, SinkGroups } from "../contracts/sink.ts";
import { EachError } from "../errors/sink.ts";
import { KeySet } from "../files/key-set.ts";
import { reversible, toJSONValue } from "../json/json.ts";
import { mapColumns } from "./column-map.ts";

/**
 * The group keys of a run's rows. No two rows have one: a row of the target that moves from the one to the other would be deleted for the
 * first, when it was written for the second.
 */
export class GroupKeys {
  readonly #columnMap: ColumnMap<never>;
  readonly #keys = new KeySet();
  #count = 0;

  constructor(columnMap: ColumnMap<never>, { groupKey }: SinkGroups) {
    this.#columnMap = Object.fromEntries(Object.entries(columnMap).filter(([column]) => groupKey.includes(column)));
  }

  /** @throws {EachError} if another row has the group key of this one */
  claim(state: object): void {
    const key = mapColumns(this.#columnMap, state as never); // they read the primary key alone
    this.#count += 1;
    const text = JSON.stringify(toJSONValue(key, reversible));
    if (this.#keys.add([text], this.#count) === undefined) return;
    const hint = "name all mergeKeys that come from s.pk, so that each row has a group of its own";
    const facts = { expected: "another group key for each row", hint };
    const detail = `each: groupKey is that of another row: ${text}`;
    throw new EachError("groupKey", "is that of another row", { detail, facts });
  }

  close(): void {
    this.#keys.close();
  }
}
