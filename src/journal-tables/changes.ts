import { isBytes, type Line, type Table } from "./tables.ts";

/**
 * A change of one line or more. `put` adds a line, or sets the columns that are given of the one with its key; `remove` and `set` are for
 * all lines that have the values of `line`; `set` spares that with the value of `except`.
 */
export type Change =
  | { readonly kind: "put"; readonly table: Table; readonly line: Line }
  | { readonly kind: "remove"; readonly table: Table; readonly line: Line }
  | {
      readonly kind: "set";
      readonly table: Table;
      readonly line: Line;
      readonly except?: string | undefined;
      readonly values: Line;
    };

/** Changes of one shape, which one statement makes. All lines have the same columns. */
export type ChangeGroup = Omit<Change, "line"> & {
  readonly columns: readonly string[];
  readonly lines: readonly Line[];
  readonly values?: Line;
  readonly except?: string | undefined;
};

/** As few groups as do the same as the changes, one after the other: only those of one table depend on each other's order. */
export function groupsOf(changes: readonly Change[]): readonly ChangeGroup[] {
  const groups: { readonly shape: string; readonly group: ChangeGroup; readonly lines: Map<string, Line> }[] = [];
  const lastOf = new Map<Table, (typeof groups)[number]>();
  for (const change of changes) {
    const { line, ...rest } = change;
    const columns = Object.keys(line);
    const shape = JSON.stringify([{ ...rest, table: null }, columns]);
    let last = lastOf.get(change.table);
    if (last?.shape !== shape) {
      last = { shape, group: { ...rest, columns, lines: [] }, lines: new Map() };
      lastOf.set(change.table, last);
      groups.push(last);
    }
    const { key } = change.table;
    const isOfKey = change.kind === "put" && key.length > 0;
    last.lines.set(isOfKey ? keyText(line, key) : `${last.lines.size}`, line);
  }
  return groups.map(({ group, lines }) => Object.assign(group, { lines: inLockOrder(group, lines) }));
}

/** Sessions that add the same lines at the same time do it in one order, else they would wait for each other in a circle. Hashes have no other order. */
function inLockOrder({ kind, table: { key, columns } }: ChangeGroup, lines: ReadonlyMap<string, Line>): Line[] {
  const isOfHashes = kind === "put" && key.length > 0 && key.every((column) => isBytes(columns[column] ?? "whole"));
  const found = isOfHashes ? [...lines].toSorted(([one], [other]) => (one < other ? -1 : 1)) : [...lines];
  return found.map(([, line]) => line);
}

/** Tells lines apart by some of their columns. */
export function keyText(line: Line, columns: readonly string[]): string {
  if (columns.length === 1) return String(line[columns[0] ?? ""]);
  let text = "";
  for (const column of columns) {
    const cell = String(line[column]);
    text += `${cell.length} ${cell}`; // the length tells where it ends, whatever is in it
  }
  return text;
}
