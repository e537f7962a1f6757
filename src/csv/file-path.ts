import { renamedOption } from "../errors/deprecation.ts";
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
  const given = renamedOption(owner, ["filePath", filePath], ["path", path]);
  if (given === undefined) throw new OptionError(owner, "filePath", "", { expected: isPath.expected, got: "nothing" });
  return absolutePath(given);
}
