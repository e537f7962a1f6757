import { closest } from "../errors/closest.ts";
import { listNames } from "../errors/name-list.ts";
import { TargetError } from "../errors/sink.ts";
import type {
  MissingTable,
  TableColumn,
  TableFacts,
  TableNames,
  TableRequest,
  Target,
  TargetColumn,
  UniqueKey,
} from "./dialect.ts";

/**
 * Holds what is to be written against the table that is there.
 *
 * @throws {TargetError} naming what does not fit, what there is, and what to do
 */
export function findTarget<Column extends TableColumn<Value>, Value>(
  names: TableNames,
  found: TableFacts<Column, Value> | MissingTable,
  request: TableRequest,
): Target<Column, Value> {
  return new Preflight<Column, Value>(names, request).find(found);
}

class Preflight<Column extends TableColumn<Value>, Value> {
  readonly #names: TableNames;
  readonly #request: TableRequest;

  constructor(names: TableNames, request: TableRequest) {
    this.#names = names;
    this.#request = request;
  }

  find(found: TableFacts<Column, Value> | MissingTable): Target<Column, Value> {
    const { columns: wanted, strategy, mergeKeys, hasGroups } = this.#request;
    if (!("columns" in found)) throw this.#missing(found);
    if (found.problem !== undefined) {
      throw this.#error(`${JSON.stringify(found.name)} in ${found.place} ${found.problem}`, found.name);
    }
    const columns = wanted.map((mapped, place): TargetColumn<Column> => {
      return Object.assign({}, this.#columnNamed(mapped, found), { mapped, place, isKey: mergeKeys.includes(mapped) });
    });
    this.#requireOnce(columns);
    if (strategy !== "update") this.#requireWholeRows(columns, found);
    const keys = columns.filter(({ isKey }) => isKey);
    const uniqueKey = keys.length === 0 ? undefined : this.#uniqueKeyOf(keys, found);
    this.#requirePermissions(columns, found);
    const proof = proofAmong(columns, found.uniqueKeys);
    return { table: found, strategy, columns, keys, hasGroups, uniqueKey, proof };
  }

  #missing({ place, wanted, note = "", otherTables, ifNone }: MissingTable): TargetError {
    const { table } = this.#request.table;
    const sameName = otherTables.filter((other) => other.toLowerCase().endsWith(`.${table.toLowerCase()}`));
    const candidates = [...new Set([...sameName, ...closest(wanted, otherTables, 3)])];
    const hint =
      candidates.length > 0
        ? `closest: ${listNames(candidates)}`
        : otherTables.length === 0
          ? ifNone
          : `there are ${listNames(otherTables)}`;
    return this.#error(`there is no table ${JSON.stringify(wanted)} in ${place}${note}`, wanted, hint);
  }

  #columnNamed(mapped: string, { name: table, columns, foldName }: TableFacts<Column, Value>): Column {
    const column =
      columns.find(({ name }) => name === mapped) ?? columns.find(({ name }) => foldName(name) === foldName(mapped));
    if (column === undefined) {
      const names = columns.map(({ name }) => name);
      const near = closest(mapped, names, 3);
      const hint = near.length === 0 ? "" : `; closest: ${listNames(near)}`;
      const isInOtherCase = names.some((name) => name.toLowerCase() === mapped.toLowerCase());
      const note = isInOtherCase ? " (the database tells upper case from lower)" : "";
      const problem = `the table ${JSON.stringify(table)} has no column "${mapped}"${note}`;
      throw this.#error(problem, mapped, `its columns are ${listNames(names)}${hint}`);
    }
    const { name, problem } = column;
    if (problem !== undefined) throw this.#error(`the column "${name}" of ${JSON.stringify(table)} ${problem}`, mapped);
    return column;
  }

  #requireOnce(columns: readonly TargetColumn<Column>[]): void {
    for (const [index, { name, mapped }] of columns.entries()) {
      const first = columns.findIndex((column) => column.name === name);
      if (first === index) continue;
      const twins = `"${columns[first]?.mapped ?? ""}" and "${mapped}"`;
      throw this.#error(`the columnMap has ${twins}, which are one column: map it once`, mapped);
    }
  }

  #requireWholeRows(written: readonly TargetColumn<Column>[], { name, columns }: TableFacts<Column, Value>): void {
    const missing = columns.filter((column) => column.isRequired && !written.some((one) => one.name === column.name));
    if (missing.length === 0) return;
    const names = missing.map((column) => column.name);
    const problem = "has columns that are NOT NULL without a default and not in the columnMap";
    const hint = "add them to the columnMap, or give them a default";
    throw this.#error(`the table ${JSON.stringify(name)} ${problem}: ${listNames(names)}`, names, hint);
  }

  #uniqueKeyOf(keys: readonly TargetColumn<Column>[], table: TableFacts<Column, Value>): UniqueKey {
    const { quote, quoteMade = quote } = this.#names;
    const names = keys.map(({ name }) => name);
    const same = table.uniqueKeys.filter(({ columns }) => {
      return columns.length === names.length && columns.every(({ name }) => names.includes(name));
    });
    const usable = same.find(({ unusable }) => unusable === undefined);
    if (usable !== undefined) return usable;
    const [other] = same;
    const almost = other === undefined ? "" : ` (the index "${other.index}" is ${other.unusable})`;
    const { table: ownName } = this.#request.table;
    const index = quoteMade(`${ownName}_${names.join("_")}_unique`);
    throw this.#error(
      `the table ${JSON.stringify(table.name)} has no primary key or unique index over exactly the mergeKeys ` +
        `${listNames(names)}${almost}, so a key could stand for more than one row`,
      names,
      `create one: CREATE UNIQUE INDEX ${index} ON ${table.quoted} (${names.map(quote).join(", ")});`,
    );
  }

  #requirePermissions(columns: readonly TargetColumn<Column>[], table: TableFacts<Column, Value>): void {
    const { strategy } = this.#request;
    const mayNotUpdate = columns.some(({ isKey, mayUpdate }) => !isKey && mayUpdate === false);
    const missing = [
      ...(strategy !== "update" && table.mayInsert === false ? ["INSERT"] : []),
      ...(strategy !== "insert" && mayNotUpdate ? ["UPDATE"] : []),
      ...(columns.some(({ isKey, maySelect }) => isKey && maySelect === false) ? ["SELECT"] : []),
    ];
    if (missing.length === 0) return;
    const rights = [
      "SELECT",
      ...(strategy === "update" ? [] : ["INSERT"]),
      ...(strategy === "insert" ? [] : ["UPDATE"]),
    ];
    throw this.#error(
      `the login may not ${missing.join(", ")} on ${JSON.stringify(table.name)}`,
      table.name,
      `have it granted: GRANT ${rights.join(", ")} ON ${table.quoted} TO <user>;`,
    );
  }

  /** `where`: the table, the column or the columns at fault. */
  #error(problem: string, where: string | readonly string[], hint?: string): TargetError {
    return new TargetError(this.#request.sink, problem, { facts: { where, hint } });
  }
}

/** The primary key before others. NULL is equal to NULL in an index but not in a comparison: such a column proves nothing. */
function proofAmong<Column extends TableColumn>(
  columns: readonly TargetColumn<Column>[],
  uniqueKeys: readonly UniqueKey[],
): readonly TargetColumn<Column>[] {
  const usable = uniqueKeys
    .filter(({ unusable }) => unusable === undefined)
    .toSorted((left, right) => Number(right.isPrimary) - Number(left.isPrimary));
  for (const key of usable) {
    const found = columns.filter(({ name, isNullable }) => !isNullable && key.columns.some((one) => one.name === name));
    if (found.length === key.columns.length) return found;
  }
  return [];
}
