import { closest, isTypingMistake } from "../../errors/closest.ts";
import { OptionError } from "../../errors/option.ts";
import { SourceError } from "../../errors/source.ts";
import { CSVSource } from "../../sources/csv.ts";
import { keyOf } from "./request-hash.ts";

export interface LabelledCSVOptions {
  /** The CSV file. Text is a path relative to the working directory. */
  readonly path: string | URL;
  /** The column with the texts that steps ask about. */
  readonly textColumn: string;
  /** The column with the label that is the answer. */
  readonly labelColumn: string;
}

/** The labels of known texts. */
export interface Labels {
  readonly of: (text: string) => string | undefined;
}

const rowNumberColumn = "row number (added by the simulator)";

/**
 * Reads a labelled CSV file. It does not keep the texts.
 *
 * @throws {OptionError} if the file lacks a column
 * @throws {SourceError} if the file can't be read or has no row
 * @throws {RowError} for a row with too few or too many cells
 */
export async function readLabels({ path, textColumn, labelColumn }: LabelledCSVOptions): Promise<Labels> {
  const labels = new Map<number, string>();
  const source = new CSVSource({ filePath: path, primaryKeyColumn: rowNumberColumn, rowNumberColumn });
  for await (const row of source.read({ signal: new AbortController().signal, parameters: {} })) {
    if ("error" in row) throw row.error;
    const cells = new Map(Object.entries(row.raw));
    if (labels.size === 0) checkColumns(cells, { textColumn, labelColumn });
    labels.set(keyOf(String(cells.get(textColumn))), String(cells.get(labelColumn)));
  }
  if (labels.size === 0) {
    throw new SourceError("simulator answersFrom", "the file has a header but no rows", { facts: { where: "path" } });
  }
  return { of: (text) => labels.get(keyOf(text)) };
}

function checkColumns(cells: ReadonlyMap<string, unknown>, columns: Readonly<Record<string, string>>): void {
  const names = [...cells.keys()].filter((name) => name !== rowNumberColumn);
  for (const [option, column] of Object.entries(columns)) {
    if (names.includes(column)) continue;
    const [near] = closest(column, names, 1);
    // In a file without a header the names are the first row: a message has no more of them than what the user wrote.
    const nearest = near !== undefined && isTypingMistake(near, column) ? near : undefined;
    const like =
      near === undefined ? "does its first line name them?" : `did you mean column ${names.indexOf(near) + 1}?`;
    const hint = nearest === undefined ? `it has ${names.length}; ${like}` : `did you mean "${nearest}"?`;
    const problem = `the file has no column "${column}"`;
    throw new OptionError("startAzureOpenAISimulator answersFrom", option, problem, { column, nearest, hint });
  }
}
