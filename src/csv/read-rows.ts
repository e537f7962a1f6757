import type { ReadContext } from "../contracts/source.ts";
import { columnName } from "../data-file/column-names.ts";
import { chunksOf, openFile } from "../data-file/read-file.ts";
import { SourceError } from "../errors/source.ts";
import { decode } from "./decode.ts";
import type { CSVFormat } from "./format.ts";
import { readHeader } from "./header.ts";
import { type CSVRow, isBlankRow, parseRows } from "./parse.ts";

/** All that says how a CSV file is read. */
export interface CSVReading extends CSVFormat {
  readonly path: string;
  readonly encoding: string;
  readonly header: boolean | readonly string[];
  readonly uniqueNames: boolean;
  readonly primaryKeyColumn: string;
  readonly rowNumberColumn: string | undefined;
}

/** Rows behind the header, those that hold nothing too, and the names of their columns. */
export interface CSVPart {
  readonly columns: readonly string[];
  readonly rows: readonly CSVRow[];
}

const maxRowBytes = 16 * 1024 * 1024;

/**
 * Reads a CSV file, a chunk at a time. It is opened at the first pull.
 *
 * @throws {SourceError} if the file can't be read, or has no usable header
 */
export async function* readParts(
  reading: CSVReading,
  { signal, onFound = () => {} }: Pick<ReadContext, "signal" | "onFound">,
): AsyncGenerator<CSVPart, void, undefined> {
  const { path, encoding, header } = reading;
  const owner = `CSVSource ${path}`;
  const file = await openFile(owner, path);
  try {
    let { delimiter } = reading;
    const text = decode(chunksOf(file, owner, signal), encoding, owner);
    const parsed = parseRows(text, {
      ...reading,
      owner,
      maxRowBytes,
      columnCount: typeof header === "object" ? header.length : undefined,
      onDelimiter: (found) => {
        onFound(
          `a line sep= says that the delimiter is ${JSON.stringify(found)}${found === delimiter ? "" : ", and that is used"}`,
        );
        delimiter = found;
      },
    });
    let columns = typeof header === "object" ? header : undefined;
    for await (const rows of parsed) {
      let first = 0;
      if (columns === undefined) {
        while (first < rows.length && isBlankRow(rows[first] ?? noRow)) first += 1;
        const row = rows[first];
        if (row === undefined) continue;
        columns = header === false ? numbered(rows) : readHeader(owner, row, { ...reading, delimiter, onFound });
        if (header !== false) first += 1;
      }
      yield { columns, rows: first === 0 ? rows : rows.slice(first) };
    }
    if (columns === undefined && header === true) {
      const facts = { expected: "a header line that names the columns" };
      throw new SourceError(owner, "the file is empty", { facts });
    }
  } finally {
    await file.close();
  }
}

const noRow: Pick<CSVRow, "cells" | "quoted"> = { cells: [], quoted: [] };

/** Columns by their number, as many as the first row has that is whole. */
function numbered(rows: readonly CSVRow[]): readonly string[] {
  const first = rows.find((row) => row.isUnclosed !== true && !isBlankRow(row)) ?? rows[0];
  return (first?.cells ?? []).map((_, index) => columnName(index + 1));
}
