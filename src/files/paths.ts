import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The absolute path of a path that is relative to the working directory, or of a file: URL. */
export function absolutePath(path: string | URL): string {
  return resolve(path instanceof URL ? fileURLToPath(path) : path);
}

/** The folder of the journals that have no path of their own, below the working directory. */
export const journalFolder = ".llm-etl";
