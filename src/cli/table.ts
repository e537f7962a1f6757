import stringWidth from "string-width";
import { inOneLine } from "./format.ts";

/** One column of a table: its name, and the text of an item in it. */
export interface Column<Item> {
  readonly name: string;
  readonly text: (item: Item) => string;
  /** Aligns the column to the right, for numbers. @default false */
  readonly isNumeric?: boolean;
}

/** Formats items as lines: one with the names of the columns, then one for each item. */
export function formatTable<Item>(columns: readonly Column<Item>[], items: readonly Item[]): string {
  const padded = columns.map(({ name, text, isNumeric = false }) => {
    const cells = [name, ...items.map((item) => inOneLine(text(item)))];
    const width = Math.max(...cells.map((cell) => stringWidth(cell)));
    return cells.map((cell) => {
      const blanks = " ".repeat(width - stringWidth(cell));
      return isNumeric ? blanks + cell : cell + blanks;
    });
  });
  const lines = ["", ...items].map((_, line) => padded.map((cells) => cells[line]).join("  "));
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}
