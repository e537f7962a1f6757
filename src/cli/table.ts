import stringWidth from "string-width";
import { inOneLine } from "./format.ts";

/** One column of a table: its name, and what it shows of an item. */
export interface Column<Item> {
  readonly name: string;
  readonly text: (item: Item) => string;
  /** Whether it stands to the right, as numbers do. @default false */
  readonly isNumeric?: boolean;
}

/** A line with the names of the columns, and one for each item. */
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
