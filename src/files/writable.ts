import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Whether there is such a file; one that is not there can be made.
 *
 * @throws what the file system says, or an error in its words, where the file can't be written or made
 */
export async function requireWritable(path: string): Promise<boolean> {
  const entry = await entryAt(path);
  if (entry === undefined) {
    await requireFolder(dirname(path));
    return false;
  }
  if (entry.isDirectory()) throw new Error(`EISDIR: ${path} is a folder`);
  await access(path, constants.R_OK | constants.W_OK);
  return true;
}

/** A folder that files can be made in, or that can be made itself. */
export async function requireFolder(path: string): Promise<void> {
  const entry = await entryAt(path);
  if (entry === undefined) return await requireFolder(dirname(path));
  if (!entry.isDirectory()) throw new Error(`ENOTDIR: ${path} is not a folder`);
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
