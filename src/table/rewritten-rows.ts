import type { StagedRow, TableColumn, TableKeys, Target } from "./dialect.ts";

/**
 * Rows to delete, but for those that are written again: the number 1, say, where the text "1" was. Such a row may have columns that others
 * fill, and rows of theirs may refer to it. A text in other letters, which the target may take for equal, replaces what it has.
 */
export function notRewritten<Column extends TableColumn<Value>, Value>(
  gone: readonly StagedRow<Value>[],
  written: readonly StagedRow<Value>[],
  { keys }: Pick<Target<Column, Value>, "keys">,
  { text }: TableKeys<Value>,
): readonly StagedRow<Value>[] {
  if (gone.length === 0) return gone;
  const keyOf = ({ cells }: StagedRow<Value>): readonly (Value | null)[] =>
    keys.map(({ place }) => cells[place] ?? null);
  const writtenKeys = new Map(written.map((row) => [text(keyOf(row)), keyOf(row)]));
  return gone.filter((row) => {
    const key = keyOf(row);
    const again = writtenKeys.get(text(key));
    return again === undefined || key.some((cell, part) => isOtherText(cell, again[part]));
  });
}

function isOtherText(cell: unknown, other: unknown): boolean {
  return cell !== other && typeof cell === "string" && typeof other === "string";
}
