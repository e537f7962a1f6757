import { open } from "node:fs/promises";

// Windows does not let folders be opened or synced, and some network file systems do not either: there a rename is as
// durable as the system makes it.
const codesOfNoFolderSync = new Set(["EACCES", "EISDIR", "EPERM", "EINVAL", "ENOTSUP"]);

/** Has the disk keep the names in a folder: a rename survives a power cut once its folder is there. */
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
