import type { SourceRow } from "../contracts/source.ts";
import { keyAsGiven } from "../engine/primary-key.ts";

type Raw = Readonly<Record<string, unknown>>;

/** A row that was read, whatever it holds. */
export type GivenRow = Extract<SourceRow, { readonly raw: Raw }>;

/** A database's answer to a query, or to a part of it: rows of cells, and how a row is made of them. */
export interface RowPiece<Cells> {
  readonly rows: readonly Cells[];
  readonly toRow: (cells: Cells) => Raw;
}

/** The rows of a reading, one after the other, with their positions. */
export async function* rowsOf<Cells>(
  pieces: AsyncIterable<RowPiece<Cells>>,
  signal: AbortSignal,
): AsyncGenerator<GivenRow, void, undefined> {
  let position = 1;
  for await (const { rows, toRow } of pieces) {
    for (const cells of rows) {
      yield { position, raw: toRow(cells) };
      position += 1;
      signal.throwIfAborted();
    }
  }
}

/** Piece after piece, each behind the last row of the one before, to the first with fewer rows than `size`. */
export async function* piecesInOrder<Cells>(
  size: number,
  ask: (last?: Cells) => Promise<RowPiece<Cells>>,
): AsyncGenerator<RowPiece<Cells>, void, undefined> {
  let piece: RowPiece<Cells> | undefined;
  do {
    piece = await ask(piece?.rows.at(-1));
    yield piece;
  } while (piece.rows.length >= size);
}

/** Of each of these keys the first row, asked for in batches of keys. A database may hold keys equal that are not: their rows are left out. */
export async function* rowsWithKeys<Cells>(
  pks: readonly string[],
  keyColumn: string,
  keysAtATime: number,
  ask: (keys: readonly string[]) => Promise<RowPiece<Cells>>,
): AsyncGenerator<SourceRow, void, undefined> {
  const wanted = new Set(pks);
  const all = [...wanted];
  let position = 0;
  for (let start = 0; start < all.length; start += keysAtATime) {
    const { rows, toRow } = await ask(all.slice(start, start + keysAtATime));
    for (const cells of rows) {
      const raw = toRow(cells);
      const key = keyAsGiven(raw, keyColumn);
      if (key === undefined || !wanted.delete(key)) continue;
      position += 1;
      yield { position, raw };
    }
  }
}

/** For a message: how far a reading had come. */
export function afterRow(count: number): string {
  return count === 0 ? "" : ` after row ${count}`;
}
