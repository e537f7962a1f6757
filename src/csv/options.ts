import { columnName } from "../data-file/column-names.ts";
import { type OptionCheck, isCount, isName, optional } from "../errors/options.ts";
import { OptionError } from "../errors/option.ts";

/** The separator of the cells of a row: any one character that has no other meaning in a CSV file. */
export const isDelimiter: OptionCheck = {
  expected: "one character that is not a quote, a line break or a byte order mark",
  fits: (value) => typeof value === "string" && value.isWellFormed() && /^[^"\r\n\uFEFF]$/u.test(value),
  required: true,
};

/** The options that say how a CSV file differs from RFC 4180. */
export interface CSVFormatOptions {
  /**
   * False for a file without a header: its columns are `column1`, `column2` and so on. An array of names is for a file without
   * a header, too. True: the first row names the columns. @default true
   */
  readonly header?: boolean | readonly string[];
  /** The number of lines to pass over at the beginning of the file, before the header. @default 0 */
  readonly skipLines?: number;
  /** The quote around cells that have delimiters or line breaks in them; null: quotes are text. @default '"' */
  readonly quote?: '"' | "'" | null;
  /** The character that makes text of a quote within quotes. With a backslash, a doubled quote still is one. @default '"' */
  readonly escape?: '"' | "'" | "\\";
  /** Lines that begin with this text are passed over. @default no line is a comment */
  readonly comment?: string;
  /** True to give a number to a name that an earlier column has, too: `note`, `note_2`. @default false: such a file is rejected */
  readonly uniqueNames?: boolean;
}

const isHeader: OptionCheck = {
  expected: "true, false, or an array of column names that are not blank, each only once",
  fits: (value) =>
    typeof value === "boolean" ||
    (Array.isArray(value) &&
      value.length > 0 &&
      value.every((name) => typeof name === "string" && name.trim() !== "" && name !== "__proto__") &&
      new Set(value).size === value.length),
  required: false,
};

const isComment: OptionCheck = {
  expected: "text that is not blank, without a quote or a line break",
  fits: (value) =>
    isName.fits(value) && typeof value === "string" && value.isWellFormed() && !/["\r\n\uFEFF]/.test(value),
  required: false,
};

function isOneCharacterOf(expected: string, characters: readonly unknown[]): OptionCheck {
  return { expected, fits: (value) => characters.includes(value), required: false };
}

/** The checks of {@link CSVFormatOptions}. */
export const formatChecks: Readonly<Record<keyof CSVFormatOptions, OptionCheck>> = {
  header: isHeader,
  skipLines: optional(isCount(0)),
  quote: isOneCharacterOf(`'"', "'" or null`, ['"', "'", null]),
  escape: isOneCharacterOf(String.raw`'"', "'" or "\\"`, ['"', "'", "\\"]),
  comment: isComment,
  uniqueNames: optional({
    expected: "true or false",
    fits: (value) => typeof value === "boolean",
    required: true,
  }),
};

interface Together extends CSVFormatOptions {
  readonly delimiter: string;
  readonly primaryKeyColumn: string;
  readonly rowNumberColumn: string | undefined;
}

/**
 * Rejects options that don't fit together.
 *
 * @throws {OptionError} naming one of them
 */
export function requireTogether(owner: string, options: Together): void {
  const { delimiter, quote = '"', escape, comment, header = true, primaryKeyColumn, rowNumberColumn } = options;
  const reject = (where: string, expected: string, got: string): never => {
    throw new OptionError(owner, where, "", { expected, got });
  };
  if (delimiter === quote || delimiter === escape) {
    reject("delimiter", "another character than the quote and the escape", JSON.stringify(delimiter));
  }
  if (escape !== undefined && escape !== "\\" && escape !== quote) {
    reject("escape", String.raw`the quote, or "\\"`, JSON.stringify(escape));
  }
  if (escape !== undefined && quote === null)
    reject("escape", "nothing, for with quote: null no quote ends a cell", JSON.stringify(escape));
  if (comment?.startsWith(delimiter) || (quote !== null && comment?.startsWith(quote))) {
    reject("comment", "text that does not begin with the delimiter or the quote", JSON.stringify(comment));
  }
  if (header === true || primaryKeyColumn === rowNumberColumn) return;
  if (typeof header === "object") {
    if (!header.includes(primaryKeyColumn))
      reject("primaryKeyColumn", "one of the names in header, or rowNumberColumn", JSON.stringify(primaryKeyColumn));
    if (rowNumberColumn !== undefined && header.includes(rowNumberColumn)) {
      reject("rowNumberColumn", "a name that is not in header", JSON.stringify(rowNumberColumn));
    }
  } else if (!/^column[1-9]\d*$/.test(primaryKeyColumn)) {
    reject(
      "primaryKeyColumn",
      `with header: false, ${columnName(1)} or another number, or rowNumberColumn`,
      JSON.stringify(primaryKeyColumn),
    );
  }
}
