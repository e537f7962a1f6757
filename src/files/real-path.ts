import { existsSync, lstatSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** Links that lead to each other in a circle are followed this often. */
const mostLinks = 40;

/**
 * The absolute path without links, of a file that exists or not: also a link to nothing yet is followed, to where the file would
 * be made. A path that can't be followed (a circle of links, a folder that may not be read) is given as it is.
 */
export function realPath(path: string): string {
  return follow(resolve(path), mostLinks);
}

function follow(path: string, linksLeft: number): string {
  try {
    return realpathSync.native(path);
  } catch {
    // It does not exist, or not all of it may be read.
  }
  if (existsSync(path)) return path; // a link of the system's own, as /dev/stdout is to a pipe
  if (linksLeft === 0 || dirname(path) === path) return path;
  const folder = follow(dirname(path), linksLeft);
  const there = join(folder, basename(path));
  try {
    if (lstatSync(there).isSymbolicLink()) return follow(resolve(folder, readlinkSync(there)), linksLeft - 1);
  } catch {
    // Nothing has this name yet.
  }
  return there;
}
