import { type FileHandle, open, readdir, rm } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { FileError } from "./file-error.ts";
import { holding } from "./lines-lock.ts";
import { isMountPoint } from "./mount-point.ts";
import { realPath } from "./real-path.ts";
import { rewriteFile } from "./rewrite-lines.ts";
import { statusOf } from "./same-file.ts";
import { syncFolder } from "./sync-folder.ts";

const dayMs = 86_400_000;

/** The moment so many days ago. */
export function daysAgo(days: number): Date {
  return new Date(Date.now() - days * dayMs);
}

/**
 * Removes the lines of a file of JSON lines that are older than that by their `timestamp`, and those of the files that it was before it was
 * renamed: `<name>.<time><ending>`. A line without a time is as old as the one before it, or else the one after. Others may append meanwhile: they wait. A crash at any moment leaves
 * each file as it was, or without its old lines. Nothing is done to a device or a named pipe.
 *
 * @throws {FileError} if the file can't be written anew, or its lock can't be had; an error of the file system
 */
export async function removeOldLines(path: string, before: Date): Promise<void> {
  const real = realPath(path);
  const status = statusOf(real);
  if (status !== undefined && !status.isFile()) return;
  const files = await familyOf(real);
  if (status !== undefined && isMountPoint(real)) {
    throw new FileError(
      "MOUNTED",
      "it is mounted as a single file, and its old lines can't be removed: mount its folder",
    );
  }
  if (files.length === 0) return;
  await holding(real, async () => {
    for (const file of files) await removeOldLinesOf(file, before, file !== real);
    await syncFolder(dirname(real));
  });
}

/** The file, and those that it was before, as far as they are there. */
async function familyOf(path: string): Promise<readonly string[]> {
  const [ending, folder] = [extname(path), dirname(path)];
  const begin = `${basename(path, ending)}.`;
  const names = statusOf(folder) === undefined ? [] : await readdir(folder);
  const older = names.filter((name) => {
    if (!name.startsWith(begin) || !name.endsWith(ending)) return false;
    return /^\d{8}T\d{9}Z(?:-\d+)?$/.test(name.slice(begin.length, name.length - ending.length));
  });
  return [...older.map((name) => join(folder, name)), ...(names.includes(basename(path)) ? [path] : [])];
}

async function removeOldLinesOf(path: string, before: Date, isWhole: boolean): Promise<void> {
  const file = await open(path, "r");
  try {
    const { ranges, isOld, size } = await youngLines(file, before);
    if (!isOld) return;
    if (isWhole && ranges.length === 0) await rm(path);
    else await rewriteFile({ path, file, ranges, restStart: size, keep: false });
  } finally {
    await file.close();
  }
}

interface YoungLines {
  readonly ranges: readonly { readonly start: number; readonly end: number }[];
  /** True if some line is old. */
  readonly isOld: boolean;
  readonly size: number;
}

/** Lines come in the order of their times, but for those of calls that took a while: where the first is young, so are they all. */
async function youngLines(file: FileHandle, before: Date): Promise<YoungLines> {
  const ranges: { start: number; end: number }[] = [];
  let isOld = false;
  let time: number | undefined;
  let size = 0;
  for await (const line of linesOf(file)) {
    time = timeOf(line) ?? time;
    const [start, end] = [size, size + line.length];
    size = end;
    if (time === undefined) continue;
    const last = ranges.at(-1);
    if (time < before.getTime()) isOld = true;
    else if (!isOld) return { ranges: [], isOld, size: end };
    else if (last?.end === start) last.end = end;
    else ranges.push({ start, end });
  }
  return { ranges, isOld, size };
}

const newline = 0x0a;

/** Each with its end, the last one perhaps without. */
async function* linesOf(file: FileHandle): AsyncGenerator<Buffer> {
  let rest: Buffer[] = [];
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false, highWaterMark: 1024 ** 2 })) {
    const bytes = Buffer.from(chunk);
    let start = 0;
    for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
      yield Buffer.concat([...rest, bytes.subarray(start, end + 1)]);
      rest = [];
      start = end + 1;
    }
    if (start < bytes.length) rest.push(bytes.subarray(start));
  }
  if (rest.length > 0) yield Buffer.concat(rest);
}

/** Undefined where a line says none: it was cut off, or edited. */
function timeOf(line: Buffer): number | undefined {
  const [, first] = /^\{"timestamp":"([^"]+)"/.exec(line.toString("latin1", 0, 60)) ?? [];
  const time = Date.parse(first ?? timestampIn(line));
  return Number.isNaN(time) ? undefined : time;
}

function timestampIn(line: Buffer): string {
  try {
    const content: unknown = JSON.parse(line.toString());
    const isObject = typeof content === "object" && content !== null && "timestamp" in content;
    return isObject ? String(content.timestamp) : "";
  } catch {
    return "";
  }
}
