import { copyFile, constants, type FileHandle, link, open, rename, rm } from "node:fs/promises";
import { rotatedPath } from "./lines-file.ts";

export interface Rewriting {
  readonly path: string;
  /** The same file, open for reading. */
  readonly file: FileHandle;
  /** The bytes that stay, from byte `start` to before byte `end` each, in order. */
  readonly ranges: readonly { readonly start: number; readonly end: number }[];
  /** Everything from this byte on stays, too. */
  readonly restStart: number;
  /** True to keep the file as it was beside it. */
  readonly keep: boolean;
}

/**
 * Puts a file in its place that has some of its bytes only, mode 0600, while its lock is held. A crash at any moment leaves one
 * of the two under the path, whole.
 *
 * Returns where the file as it was is kept; null where it is not.
 */
export async function rewriteFile({ path, file, ranges, restStart, keep }: Rewriting): Promise<string | null> {
  const partialPath = `${path}.partial`;
  const keptPath = keep ? rotatedPath(path) : null;
  try {
    await rm(partialPath, { force: true }); // a crash has left it
    const partial = await open(partialPath, "wx", 0o600);
    try {
      for (const { start, end } of joined(ranges)) await copyBytes(file, partial, start, end);
      await copyBytes(file, partial, restStart, Infinity);
      await keepOwner(file, partial);
      await partial.sync();
    } finally {
      await partial.close();
    }
    if (keptPath !== null) await keepBeside(path, keptPath);
    await rename(partialPath, path);
  } catch (error) {
    await rm(partialPath, { force: true });
    throw error;
  }
  return keptPath;
}

/** The ranges, those that touch made one. */
function* joined(ranges: Rewriting["ranges"]): Generator<{ readonly start: number; readonly end: number }> {
  let last: { readonly start: number; readonly end: number } | undefined;
  for (const { start, end } of ranges) {
    if (last?.end === start) {
      last = { start: last.start, end };
    } else {
      if (last !== undefined) yield last;
      last = { start, end };
    }
  }
  if (last !== undefined) yield last;
}

const chunkBytes = 1024 ** 2;

/** Appends bytes of one file to another, up to `end` or to the file's. */
async function copyBytes(from: FileHandle, to: FileHandle, start: number, end: number): Promise<void> {
  const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, end - start));
  for (let position = start; position < end;) {
    const { bytesRead } = await from.read(chunk, 0, Math.min(chunk.length, end - position), position);
    if (bytesRead === 0) return;
    await to.writeFile(chunk.subarray(0, bytesRead)); // goes on from where the last one ended
    position += bytesRead;
  }
}

/** A run of the superuser leaves the file to the user whose file it is. */
async function keepOwner(from: FileHandle, to: FileHandle): Promise<void> {
  const [before, now] = [await from.stat(), await to.stat()];
  if (before.uid !== now.uid || before.gid !== now.gid) await to.chown(before.uid, before.gid);
}

/** The codes of file systems that have no hard links. */
const codesOfNoLink = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EACCES"]);

/** Gives a file a second name, or where that can't be, a copy. */
async function keepBeside(path: string, keptPath: string): Promise<void> {
  try {
    await link(path, keptPath);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && codesOfNoLink.has(String(error.code)))) throw error;
    await copyFile(path, keptPath, constants.COPYFILE_EXCL);
    const copy = await open(keptPath, "r+");
    try {
      await copy.sync();
    } finally {
      await copy.close();
    }
  }
}
