import { codePage } from "./code-page.ts";
import { type Fit, fits, violation } from "../../table/fit.ts";
import { withText } from "../../table/text-fit.ts";

/**
 * CHAR and VARCHAR of at most `length` bytes (undefined is MAX) in the code page of the column's collation. Text that the code page
 * lacks is rejected; of a code page that is not known here the server is asked, at the write.
 */
export function fitCodePage(type: string, length: number | undefined, pageNumber: number): Fit {
  const page = codePage(pageNumber);
  return withText(type, (text) => {
    const bytes = page === undefined ? Array.from(text).length : page.bytesOf(text); // one byte a character, or more
    if (bytes === undefined) {
      const advice = "make the column NVARCHAR, or replace them in the columnMap";
      return violation(
        `the column is ${type} of code page ${pageNumber}, which lacks characters of the text; ${advice}`,
        `must be written without ${lacking(text, page)}`,
      );
    }
    if (length === undefined || bytes <= length) return fits(text);
    const unit = page === undefined || bytes === text.length ? "characters" : "bytes";
    const most = `at most ${length} ${unit}`;
    return violation(
      `the column is ${type}: expected at most ${length} bytes, got ${bytes} ${unit}`,
      `must have ${most}, not ${bytes}${unit === "bytes" ? ", of which some characters take two or more" : ""}`,
    );
  });
}

const mostNamedCharacters = 10;

/** The characters that a code page lacks, for a model to do without. */
function lacking(text: string, page: ReturnType<typeof codePage>): string {
  const characters = new Set(Array.from(text).filter((character) => page?.bytesOf(character) === undefined));
  const named = [...characters].slice(0, mostNamedCharacters).map((character) => JSON.stringify(character));
  return `${named.join(", ")}${characters.size > mostNamedCharacters ? " and the like" : ""}`;
}
