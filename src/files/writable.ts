import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { FileError } from "./file-error.ts";

/**
 * Makes sure that a file can be written, or can be made if it does not exist. True if it exists.
 *
 * @throws an error of the file system, or a {@link FileError} with the code EISDIR or ENOTDIR
 */
export async function requireWritable(path: string): Promise<boolean> {
  const entry = await entryAt(path);
  if (entry === undefined) {
    await requireFolder(dirname(path));
    return false;
  }
  if (entry.isDirectory()) throw new FileError("EISDIR", `EISDIR: ${path} is a folder`);
  await access(path, constants.R_OK | constants.W_OK);
  return true;
}

/** Makes sure that files can be made in a folder, or that it can be made itself. @throws like {@link requireWritable} */
export async function requireFolder(path: string): Promise<void> {
  const entry = await entryAt(path);
  if (entry === undefined) return await requireFolder(dirname(path));
  if (!entry.isDirectory()) throw new FileError("ENOTDIR", `ENOTDIR: ${path} is not a folder`);
  await access(path, constants.W_OK | constants.X_OK);
}

async function entryAt(path: string): Promise<{ readonly isDirectory: () => boolean } | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
