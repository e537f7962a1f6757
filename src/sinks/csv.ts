import { existsSync } from "node:fs";
import { access, constants, mkdir, open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { stringify, type Options as StringifyOptions } from "csv-stringify/sync";
import { problemOf, toCell, type Cell } from "../csv/cell-text.ts";
import { type CSVFilePath, filePathChecks, filePathOf } from "../csv/file-path.ts";
import { isDelimiter } from "../csv/options.ts";
import { SinkDataError, SinkError } from "../errors/sink.ts";
import { codeOf, messageOf } from "../errors/error-text.ts";
import { checkOptions, isBoolean, isFunctionMap, isOneOf, optional } from "../errors/options.ts";
import { requireFolder } from "../files/writable.ts";
import { type FileLock, lockFile } from "../files/file-lock.ts";
import { syncFolder } from "../files/sync-folder.ts";
import type { ColumnMap, ColumnValues, Sink, SinkContext, SinkSession, Violation } from "../contracts/sink.ts";

/** The options of a {@link CSVSink}. The folder of its file is created if it is missing. */
export type CSVSinkOptions<State, Column extends string = string> = CSVFilePath & {
  /** The columns, in the order in which they are written, each with the function that gives its value. */
  readonly columnMap: ColumnMap<State, Column>;
  /** The character that separates cells. @default "," */
  readonly delimiter?: string;
  /**
   * Writes the rows in the source's order instead of the order in which they are done. The engine restores the order
   * through a bounded buffer, and that costs waiting: a slow row holds back the finished ones behind it, and once the
   * buffer is full no further row is started. With a heavy latency tail 15 times the wall time was measured.
   * @default false
   */
  readonly preserveOrder?: boolean;
  /**
   * Puts a single quote mark before text that begins with `=`, `+`, `-`, `@` (also in full width), tab or CR, so that a
   * spreadsheet does not run it as a formula. The text is then not the same when it is read back. @default false
   */
  readonly escapeFormulas?: boolean;
  /** Begins the file with a byte order mark; without one Excel misreads letters beyond ASCII. @default false */
  readonly bom?: boolean;
  /** The end of a row. @default "\n" */
  readonly lineEnding?: "\n" | "\r\n";
};

/**
 * Writes rows to a CSV file in UTF-8 (RFC 4180), with a header.
 *
 * Every run writes the whole file anew, to `<path>.partial` beside it (mode 0600: rows hold personal data). A run that
 * completes renames it over the file; a run that stops leaves the file of an earlier run as it was, and keeps what it
 * had written in the `.partial` file until the next run begins. One run at a time writes to a path: a second one is
 * rejected before its first row (by a lock on `<path>.partial.lock`, which ends with its process; the file stays).
 *
 * Text and numbers stand as they are, booleans as true and false, dates as ISO 8601, bytes as base64, objects and
 * arrays as JSON; null and undefined are empty cells.
 *
 * @example new CSVSink({ filePath: "output/enriched.csv", columnMap: { id: (s) => s.pk, summary: (s) => s.processed.summary.text } })
 * @throws {OptionError} at construction, for an unknown option or a wrong value
 */
export class CSVSink<State, Column extends string = string> implements Sink<State> {
  readonly name = "csv";
  readonly identity: string;
  readonly keepsRows = false;
  readonly preserveOrder: boolean;
  readonly columnMap: ColumnMap<State, Column>;
  /**
   * Creates the `.partial` file and writes the header.
   *
   * @throws {SinkError} if the path is a folder, its folder can't be created or written to, or a run is writing to it
   */
  readonly open: (context: SinkContext) => Promise<SinkSession>;
  /** @throws {SinkError} as `open`; makes nothing */
  readonly preflight: (context: SinkContext) => Promise<Omit<SinkSession, "write">>;

  constructor(options: CSVSinkOptions<State, Column>) {
    checkOptions<CSVSinkOptions<State, Column>>("CSVSink", options, {
      ...filePathChecks,
      columnMap: isFunctionMap,
      delimiter: optional(isDelimiter),
      preserveOrder: optional(isBoolean),
      escapeFormulas: optional(isBoolean),
      bom: optional(isBoolean),
      lineEnding: optional({ ...isOneOf("\n", "\r\n"), expected: String.raw`"\n" or "\r\n"` }),
    });
    const { columnMap, delimiter = ",", escapeFormulas = false, bom = false, lineEnding = "\n" } = options;
    const columns = Object.keys(columnMap);
    const format: StringifyOptions = {
      delimiter,
      record_delimiter: lineEnding,
      quote_record_delimiter: true,
      quoted_empty: columns.length === 1, // an empty line would not count as a row
      quoted_match: /^\uFEFF/, // text, but at the file's beginning it would be read as the byte order mark
      escape_formulas: escapeFormulas,
    };
    const path = filePathOf("CSVSink", options);
    this.identity = path;
    this.preserveOrder = options.preserveOrder ?? false;
    this.columnMap = columnMap;
    this.open = (context) => openSession({ path, columns, format, bom }, context);
    this.preflight = (context) => lookAt({ path, columns }, context);
  }
}

interface Writing {
  readonly path: string;
  readonly columns: readonly string[];
  readonly format: StringifyOptions;
  readonly bom: boolean;
}

async function openSession({ path, columns, format, bom }: Writing, { signal }: SinkContext): Promise<SinkSession> {
  signal.throwIfAborted();
  const owner = `CSVSink ${path}`;
  const partialPath = `${path}.partial`;
  const { file, lock } = await createFile(owner, path, partialPath);
  let closed = false;
  let written = 0; // bytes of header and whole batches: a batch that failed half-way is written over

  async function append(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    try {
      await writeAll(file, bytes, written);
    } catch (cause) {
      throw new SinkError(owner, `${partialPath} can't be written (${messageOf(cause)})`, {
        cause: await cutBack(file, written, cause),
        facts: { where: partialPath, code: codeOf(cause), hint: "is the disk full?" },
      });
    }
    written += bytes.length;
  }

  try {
    await append((bom ? "\uFEFF" : "") + stringify([columns], format));
  } catch (error) {
    await file.close();
    await lock.release();
    throw error;
  }
  return {
    check: (values) => findViolations(columns, values),
    write: async (batch) =>
      append(
        stringify(
          batch.flatMap(({ rows }) => rows.map((values) => toCells(owner, columns, values))),
          format,
        ),
      ),
    close: async (outcome) => {
      if (closed) return;
      closed = true;
      try {
        await closeFile(owner, file, outcome === "completed" ? { from: partialPath, to: path } : undefined);
      } finally {
        await lock.release();
      }
    },
  };
}

/** The `.partial` file, and the lock on it: what an earlier run left is removed, but not what another is writing. */
async function createFile(
  owner: string,
  path: string,
  partialPath: string,
): Promise<{ file: FileHandle; lock: FileLock }> {
  await rejectFolder(owner, path);
  let lock: FileLock | undefined;
  try {
    await mkdir(dirname(path), { recursive: true });
    await access(dirname(path), constants.W_OK);
    lock = lockFile(`${partialPath}.lock`);
    if (lock === undefined) throw inUse(owner, partialPath);
    await rm(partialPath, { force: true }); // else an old file would keep its mode, and the folder stay unproven
    return { file: await open(partialPath, "wx", 0o600), lock };
  } catch (cause) {
    await lock?.release();
    if (cause instanceof SinkError) throw cause;
    throw cantBeCreated(owner, partialPath, cause);
  }
}

/** The preflight of `open`. Nothing is made: not the folder, the file or its lock. */
async function lookAt(
  { path, columns }: Pick<Writing, "path" | "columns">,
  { signal }: SinkContext,
): Promise<Omit<SinkSession, "write">> {
  signal.throwIfAborted();
  const owner = `CSVSink ${path}`;
  const partialPath = `${path}.partial`;
  await rejectFolder(owner, path);
  try {
    await requireFolder(dirname(path));
  } catch (cause) {
    throw cantBeCreated(owner, partialPath, cause);
  }
  if (existsSync(`${partialPath}.lock`)) {
    const lock = lockFile(`${partialPath}.lock`);
    if (lock === undefined) throw inUse(owner, partialPath);
    await lock.release();
  }
  return { check: (values) => findViolations(columns, values), close: async () => {} };
}

async function rejectFolder(owner: string, path: string): Promise<void> {
  const entry = await stat(path).catch(() => undefined); // what is not there is no folder; the rest shows later
  if (entry?.isDirectory() !== true) return;
  const hint = 'give the option "filePath" the path of a file in it';
  throw new SinkError(owner, "this is a folder", { facts: { where: path, code: "EISDIR", hint } });
}

function inUse(owner: string, partialPath: string): SinkError {
  const hint = "wait until it has ended, or give this run another path";
  return new SinkError(owner, `another run is writing to ${partialPath}`, { facts: { where: partialPath, hint } });
}

function cantBeCreated(owner: string, partialPath: string, cause: unknown): SinkError {
  const hint = 'check the option "filePath" and who may write to its folder';
  const facts = { where: partialPath, code: codeOf(cause), hint };
  return new SinkError(owner, `${partialPath} can't be created (${messageOf(cause)})`, { cause, facts });
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Takes half a batch off the end. Returns all that went wrong. */
async function cutBack(file: FileHandle, length: number, cause: unknown): Promise<unknown> {
  try {
    await file.truncate(length);
    return cause;
  } catch (error) {
    return new AggregateError([cause, error], messageOf(cause), { cause });
  }
}

/** @throws {SinkDataError} for what {@link findViolations} reports: nothing was written */
function toCells(owner: string, columns: readonly string[], values: ColumnValues): Cell[] {
  const [violation] = findViolations(columns, values);
  if (violation !== undefined) {
    throw new SinkDataError(owner, violation.message, { facts: { where: violation.column } });
  }
  return columns.map((column) => toCell(values[column]));
}

function findViolations(columns: readonly string[], values: ColumnValues): readonly Violation[] {
  return columns.flatMap((column) => {
    const problem = problemOf(values[column]);
    if (problem === undefined) return [];
    const message = `column "${column}" ${problem}`;
    return [{ column, message, detail: message }];
  });
}

async function closeFile(
  owner: string,
  file: FileHandle,
  move: { from: string; to: string } | undefined,
): Promise<void> {
  try {
    try {
      if (move !== undefined) await file.sync();
      if (move !== undefined) await requireOwnFile(owner, file, move.from);
    } finally {
      await file.close();
    }
    if (move === undefined) return;
    await rename(move.from, move.to);
  } catch (cause) {
    if (cause instanceof SinkError) throw cause;
    const hint = "what was written is in the .partial file beside it";
    const facts = { where: move?.to, code: codeOf(cause), hint };
    throw new SinkError(owner, `the file can't be finished (${messageOf(cause)})`, { cause, facts });
  }
  try {
    await syncFolder(dirname(move.to));
  } catch (cause) {
    const problem = `the file is complete, but its folder can't be synced to disk (${messageOf(cause)}); a power cut may undo its renaming`;
    throw new SinkError(owner, problem, { cause, facts: { where: dirname(move.to), code: codeOf(cause) } });
  }
}

/** The file under the name may no longer be the one that this run wrote: then it is somebody else's, and not to be published. */
async function requireOwnFile(owner: string, file: FileHandle, partialPath: string): Promise<void> {
  const ours = await file.stat({ bigint: true });
  const there = await stat(partialPath, { bigint: true }).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
  if (there?.ino === ours.ino && there.dev === ours.dev) return;
  const problem = there === undefined ? "was removed" : "was replaced by another file";
  const consequence = "what this run wrote is lost, and nothing was put in its place";
  throw new SinkError(owner, `${partialPath} ${problem} while this run was writing to it: ${consequence}; run again`);
}
