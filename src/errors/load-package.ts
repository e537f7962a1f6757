import { RunError } from "./llm-etl-error.ts";

/**
 * Loads a package that llm-etl does not install.
 *
 * @param hint the way to install it, and any other to do without
 * @throws {RunError} SETTING_MISSING where it is not installed
 */
export async function loadPackage<Package>(
  owner: string,
  name: string,
  hint: string,
  load: () => Promise<Package>,
): Promise<Package> {
  try {
    return await load();
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ERR_MODULE_NOT_FOUND")) throw cause;
    throw new RunError("SETTING_MISSING", `${owner}: ${name} is not installed`, {
      cause,
      facts: { where: name, hint },
    });
  }
}
