import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Makes a path absolute: one that is relative to the working directory, or a file: URL. */
export function absolutePath(path: string | URL): string {
  return resolve(path instanceof URL ? fileURLToPath(path) : path);
}

/** The folder of journals without a path of their own, below the working directory. */
export const journalFolder = ".llm-etl";

/** A path as one would type it here: relative to the working directory, unless that is longer. */
export function fromHere(path: string): string {
  const short = relative(process.cwd(), path);
  return short.length < path.length ? short : path;
}
