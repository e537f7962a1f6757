import { readFileSync } from "node:fs";

/**
 * True where a file system, or a single file, is mounted under the path itself, as containers do (`-v out.csv:/data/out.csv`): nothing
 * can be renamed over it, and what stands beside it is elsewhere. `path` has no links. Linux tells; other systems mount no files.
 */
export function isMountPoint(path: string, mounts: string = mountsOfThisProcess()): boolean {
  return mounts.split("\n").some((line) => unescaped(line.split(" ")[4] ?? "") === path);
}

/** https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html: the fifth field is the mount point. */
function mountsOfThisProcess(): string {
  try {
    return readFileSync("/proc/self/mountinfo", "utf8");
  } catch {
    return "";
  }
}

/** Spaces, tabs, line breaks and backslashes are written as octal numbers. */
function unescaped(field: string): string {
  return field.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
