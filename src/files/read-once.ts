import { statusOf } from "./same-file.ts";

/**
 * True for what gives its content once: a pipe, or what this process has open already (`/dev/stdin`: on macOS all who open it share one place
 * in the file). `path` is absolute.
 */
export function isReadOnce(path: string): boolean {
  return path.startsWith("/dev/") || statusOf(path)?.isFile() === false;
}
