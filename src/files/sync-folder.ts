import { open } from "node:fs/promises";

// Windows and some network file systems can't open or sync a folder: there a rename is as durable as the system makes it.
const codesOfNoFolderSync = new Set(["EACCES", "EISDIR", "EPERM", "EINVAL", "ENOTSUP"]);

/** Writes the names of a folder's files to the disk: after that a rename survives a power cut. */
export async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && codesOfNoFolderSync.has(String(error.code))) return;
    throw error;
  }
}
