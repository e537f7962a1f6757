import { OptionError } from "../errors/option.ts";

/**
 * The merge keys that a sink of tables was given, if they go with its strategy and its column map; none when inserting.
 *
 * @throws {OptionError} naming what is missing, unknown or too much
 */
export function checkMergeKeys(
  owner: string,
  strategy: string,
  mergeKeys: readonly string[] | undefined,
  columns: readonly string[],
): readonly string[] {
  const refusal = (problem: string): OptionError => new OptionError(owner, "mergeKeys", problem);
  if (strategy === "insert") {
    if (mergeKeys !== undefined) throw refusal(`expected none with strategy "insert", got ${mergeKeys.length}`);
    return [];
  }
  if (mergeKeys === undefined || mergeKeys.length === 0) {
    throw refusal(`expected at least one column, got none; strategy "${strategy}" finds rows by them`);
  }
  const unknown = mergeKeys.find((key) => !columns.includes(key));
  if (unknown !== undefined) {
    throw refusal(`expected columns of the columnMap (${columns.join(", ")}), got "${unknown}"`);
  }
  if (new Set(mergeKeys).size < mergeKeys.length) throw refusal("expected each column once, got one twice");
  if (strategy === "update" && mergeKeys.length === columns.length) {
    throw refusal(`expected a column in the columnMap that is no merge key: strategy "update" has nothing to update`);
  }
  return mergeKeys;
}
