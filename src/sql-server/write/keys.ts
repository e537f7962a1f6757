import { withoutTrailingBlanks } from "../../table/trailing-blanks.ts";
import type { TableKeys, Target } from "../../table/dialect.ts";
import type { SQLServerColumn } from "./column-type.ts";
import type { StagedValue } from "../../table/fit.ts";

/**
 * Equal keys of texts are a matter of the target's collation, which only the server knows: their parts are compared in their own spelling.
 * Of other types it is known here.
 */
export function keysOf({ keys }: Target<SQLServerColumn, StagedValue>): TableKeys<StagedValue> {
  return {
    text: (key) =>
      keyText(
        key.map((cell, index) => {
          const collation = keys[index]?.collation;
          if (typeof cell === "string" && collation !== undefined) return foldText(cell, collation);
          return comparable(cell, keys[index]);
        }),
      ),
    parts: (key) => [keyText(key.map((cell, index) => comparable(cell, keys[index])))],
  };
}

/** The cell, or what is equal for all cells of the column that the server holds equal. */
export function comparable(
  cell: StagedValue | null,
  column: Pick<SQLServerColumn, "comparable"> | undefined,
): StagedValue | null {
  return cell === null || column?.comparable === undefined ? cell : column.comparable(cell);
}

/** The cells of a key as one text, without trailing blanks: SQL Server compares without them. */
export function keyText(cells: readonly (StagedValue | Uint8Array | null)[]): string {
  const texts = cells.map((cell) => {
    if (cell instanceof Uint8Array) return Buffer.from(cell).toString("hex");
    return typeof cell === "string" ? withoutTrailingBlanks(cell) : cell;
  });
  return JSON.stringify(texts);
}

/**
 * A text as some collations hold it equal to others: without case where the collation ignores case, without accents likewise. Texts that
 * the server tells apart may be equal here.
 */
export function foldText(text: string, collation: string): string {
  const words = collation.toUpperCase().split("_");
  let folded = withoutTrailingBlanks(text);
  if (words.includes("BIN") || words.includes("BIN2")) return folded;
  folded = folded.normalize("NFKD");
  if (words.includes("AI")) folded = folded.replaceAll(/\p{M}/gu, "");
  return words.includes("CI") ? folded.toUpperCase().toLowerCase() : folded;
}
