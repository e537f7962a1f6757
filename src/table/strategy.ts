import type { ErrorFacts } from "../errors/facts.ts";
import { OptionError } from "../errors/option.ts";
import { isFunctionMap, isName, isOneOf, isTextList, type OptionCheck, optional } from "../errors/options.ts";
import type { SinkGroups, SinkTable } from "../contracts/sink.ts";
import type { Strategy, TableDialect, TableRequest } from "./dialect.ts";

/** The options that every sink of tables has. */
export interface TableOptions {
  readonly targetTable: string;
  readonly columnMap: Readonly<Record<string, unknown>>;
  readonly strategy?: Strategy | undefined;
  readonly mergeKeys?: readonly string[] | undefined;
  readonly groupKey?: readonly string[] | undefined;
}

export function tableChecks(...strategies: readonly Strategy[]): Readonly<Record<keyof TableOptions, OptionCheck>> {
  return {
    targetTable: isName,
    columnMap: isFunctionMap,
    strategy: optional(isOneOf(...strategies)),
    mergeKeys: optional(isTextList),
    groupKey: optional(isTextList),
  };
}

/** A table as the options of its sink name it. */
export interface NamedTable extends Omit<TableRequest, "sink"> {
  readonly facts: SinkTable;
  readonly groups: SinkGroups | undefined;
}

/** @throws {OptionError} naming what is missing, unknown or too much */
export function namedTable(
  owner: string,
  dialect: Pick<TableDialect, "name" | "names" | "createTable">,
  { targetTable, columnMap, strategy = "merge", mergeKeys, groupKey }: TableOptions,
): NamedTable {
  const parsed = dialect.names.parse(targetTable);
  if (!parsed.ok) throw new OptionError(owner, "targetTable", parsed.problem, parsed.facts);
  const columns = Object.keys(columnMap);
  const twice = firstTwin(columns, dialect.names.fold);
  if (twice !== undefined) throw new OptionError(owner, "columnMap", twinProblem(twice), { column: twice });
  const keys = checkMergeKeys(owner, strategy, mergeKeys, columns);
  if (groupKey !== undefined) checkGroupKey(owner, strategy, groupKey, keys);
  return {
    table: parsed.name,
    columns,
    mergeKeys: keys,
    strategy,
    hasGroups: groupKey !== undefined,
    groups: groupKey && { groupKey, mergeKeys: keys },
    facts: { name: targetTable, keys, strategy, dialect },
  };
}

/** Rows of a group are added, changed and deleted: that takes a strategy that merges, and keys beside those that the group shares. */
function checkGroupKey(owner: string, strategy: Strategy, groupKey: readonly string[], keys: readonly string[]): void {
  const wrong = (facts: ErrorFacts): OptionError => new OptionError(owner, "groupKey", "", facts);
  if (strategy === "insert" || strategy === "update") {
    const hint = "rows that a row of the source no longer has are deleted, and new ones are added";
    throw wrong({ expected: `strategy "merge"`, got: `"${strategy}"`, hint });
  }
  const unknown = groupKey.find((column) => !keys.includes(column));
  if (unknown !== undefined)
    throw wrong({ expected: `columns of mergeKeys (${keys.join(", ")})`, got: `"${unknown}"` });
  if (groupKey.length === 0) throw wrong({ expected: "at least one column", got: "none" });
  if (new Set(groupKey).size < groupKey.length) throw wrong({ expected: "each column once", got: "one twice" });
  if (groupKey.length === keys.length) {
    const hint = "the other merge keys tell the rows of a group apart";
    throw wrong({ expected: "a part of mergeKeys", got: "all of them", hint });
  }
}

/** The first of two names that the database takes for one. */
export function firstTwin(columns: readonly string[], fold: (name: string) => string): string | undefined {
  const folded = columns.map(fold);
  return columns.find((_, index) => folded.indexOf(folded[index] ?? "") !== index);
}

export function twinProblem(column: string): string {
  return `"${column}" is there twice: the database ignores the case of letters`;
}

/** The merge keys that a sink of tables was given, if they go with its strategy and its column map; none when inserting. */
function checkMergeKeys(
  owner: string,
  strategy: Strategy,
  mergeKeys: readonly string[] | undefined,
  columns: readonly string[],
): readonly string[] {
  const wrong = (facts: ErrorFacts): OptionError => new OptionError(owner, "mergeKeys", "", facts);
  if (strategy === "insert") {
    if (mergeKeys !== undefined) {
      throw wrong({ expected: `none with strategy "insert"`, got: mergeKeys.length });
    }
    return [];
  }
  if (mergeKeys === undefined || mergeKeys.length === 0) {
    const hint = `strategy "${strategy}" finds rows by them`;
    throw wrong({ expected: "at least one column", got: "none", hint });
  }
  const unknown = mergeKeys.find((key) => !columns.includes(key));
  if (unknown !== undefined) {
    throw wrong({ expected: `columns of the columnMap (${columns.join(", ")})`, got: `"${unknown}"` });
  }
  if (new Set(mergeKeys).size < mergeKeys.length) {
    throw wrong({ expected: "each column once", got: "one twice" });
  }
  if (strategy === "update" && mergeKeys.length === columns.length) {
    throw wrong({
      expected: "a column in the columnMap that is no merge key",
      hint: `strategy "update" has nothing to update`,
    });
  }
  return mergeKeys;
}
