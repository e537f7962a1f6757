import { warnOf } from "../errors/deprecation.ts";
import { OptionError } from "../errors/option.ts";
import { isPath, type OptionCheck, optional } from "../errors/options.ts";
import { absolutePath } from "../files/paths.ts";

/** The option that names the file of a CSV source or sink. */
export type CSVFilePath =
  | {
      /** The file; a text is relative to the working directory. */
      readonly filePath: string | URL;
      readonly path?: undefined;
    }
  | {
      readonly filePath?: undefined;
      /** @deprecated Its name in 0.1; write `filePath`. It works until 1.0, with a warning. */
      readonly path: string | URL;
    };

/** The checks of {@link CSVFilePath}. */
export const filePathChecks: Readonly<Record<"filePath" | "path", OptionCheck>> = {
  filePath: optional(isPath),
  path: optional(isPath),
};

/**
 * The absolute path of the file.
 *
 * @throws {OptionError} if both names of the option are given, or none
 */
export function filePathOf(owner: string, { filePath, path }: CSVFilePath): string {
  if (filePath !== undefined && path !== undefined) {
    const problem = "this is the name that filePath had in 0.1, and both are given";
    throw new OptionError(owner, "path", problem, { expected: "filePath alone", hint: "remove path" });
  }
  if (path === undefined && filePath === undefined) {
    throw new OptionError(owner, "filePath", "", { expected: isPath.expected, got: "nothing" });
  }
  if (path !== undefined) {
    const message = `${owner}: the option "path" is named "filePath" now; the old name works until 1.0`;
    warnOf({ option: "path", code: `LLM_ETL_${owner.toUpperCase()}_PATH`, message });
  }
  return absolutePath(filePath ?? path);
}
