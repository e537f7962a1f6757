/** The ways in which CSV files differ. */
export interface CSVFormat {
  readonly delimiter: string;
  /** Null where quotes are text. */
  readonly quote: string | null;
  /** The character that makes text of the quote behind it, beside a doubled quote. */
  readonly escape?: string | undefined;
  /** The text with which lines begin that are no rows. */
  readonly comment?: string | undefined;
  /** The number of lines to pass over at the beginning. */
  readonly skipLines: number;
}

/** With them old systems fill the last block of a file, or end it (Ctrl-Z). */
const padding: ReadonlySet<string> = new Set(["\0", "\u001A"]);

/** True for a text that holds nothing: blanks and padding. */
export function isBlankText(text: string): boolean {
  const rest = text.trim();
  return (
    rest === "" || (padding.has(rest.charAt(0)) && [...rest].every((one) => one.trim() === "" || padding.has(one)))
  );
}
