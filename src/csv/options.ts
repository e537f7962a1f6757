import type { OptionCheck } from "../errors/options.ts";

/** The separator of the cells of a row: any one character that has no other meaning in a CSV file. */
export const isDelimiter: OptionCheck = {
  expected: "one character that is not a quote, a line break or a byte order mark",
  fits: (value) => typeof value === "string" && value.isWellFormed() && /^[^"\r\n\uFEFF]$/u.test(value),
  required: true,
};
