import type { StagedRow } from "./dialect.ts";

/**
 * Rows of texts as lines, each with its number before its cells: tabs between, `\N` for NULL, and a backslash before what would be read as one of
 * these. They come in pieces, for no text of JavaScript's holds a batch of large values.
 */
export function* tabSeparated(rows: readonly StagedRow<string>[]): Generator<string, void, undefined> {
  let piece = "";
  for (const [index, { cells }] of rows.entries()) {
    piece += `${[String(index), ...cells.map(escaped)].join("\t")}\n`;
    if (piece.length < pieceLength) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

const pieceLength = 65_536;

function escaped(cell: string | null): string {
  return cell === null ? "\\N" : cell.replaceAll(/[\\\t\n\r]/g, (sign) => escapes[sign] ?? sign);
}

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };
