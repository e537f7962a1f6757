import { type BigIntStats, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { realPath } from "./real-path.ts";

/**
 * A text that two paths share if they are of one file, however they are spelt and whatever links they go through: the file's
 * device and inode or, where there is none yet, those of its folder with the name in it. Undefined for a device
 * or a pipe, like /dev/null, which many may use.
 */
export function fileIdentity(path: string): string | undefined {
  const status = statusOf(path);
  if (status !== undefined && !status.isFile() && !status.isDirectory()) return undefined;
  const real = realPath(path);
  if (status !== undefined) return identityOf(status, real);
  let folder = dirname(real);
  let name = basename(real);
  let folderStatus = statusOf(folder);
  while (folderStatus === undefined && dirname(folder) !== folder) {
    name = join(basename(folder), name);
    folder = dirname(folder);
    folderStatus = statusOf(folder);
  }
  const shown = ignoresCase(folder, folderStatus) ? name.normalize("NFC").toLowerCase() : name;
  return `${folderStatus === undefined ? folder : identityOf(folderStatus, folder)}/${shown}`;
}

/** The device and inode of what a path leads to; undefined where there is nothing, or it may not be looked at. */
export function statusOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

function identityOf({ dev, ino }: BigIntStats, path: string): string {
  return ino === 0n ? path : `${dev}:${ino}`; // some file systems number nothing
}

/** True if the folder is found by a name in other letter case: its file system then makes one file of both names. */
function ignoresCase(folder: string, status: BigIntStats | undefined): boolean {
  const name = basename(folder);
  const other = name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase();
  if (status === undefined || name === other) return false;
  const found = statusOf(join(dirname(folder), other));
  return found?.ino === status.ino && found.dev === status.dev;
}
