import type { ColumnValues, RowsAside, SinkContext, SinkSession, Violation } from "../contracts/sink.ts";
import { SinkDataError } from "../errors/sink.ts";
import { TargetFile } from "./target-file.ts";
import { textProblem } from "./text-problem.ts";

/** A file of rows that each run writes anew. */
export interface WrittenFile {
  /** The sink, for messages. */
  readonly owner: string;
  readonly path: string;
  readonly columns: readonly string[];
  /** Begins the content of one file: called once for each run. */
  readonly begin: () => FileContent;
  /** The reason why the file can't hold a value, without the value; undefined where it can. @default {@link textProblem} */
  readonly problemOf?: ((value: unknown) => string | undefined) | undefined;
}

/** The content of a file, a piece at a time. */
export interface FileContent {
  /** Stands before the rows. @default nothing */
  readonly header?: FilePiece | undefined;
  readonly rows: (rows: readonly ColumnValues[]) => FilePiece | Promise<AppendedPiece>;
  /** The piece behind the rows. @default nothing */
  readonly end?: (() => FilePiece) | undefined;
}

export type FilePiece = string | Uint8Array;

/** A piece of a content whose next one depends on it. */
export interface AppendedPiece {
  readonly bytes: FilePiece;
  /** Called once it is in the file. */
  readonly appended: () => void;
}

/** Creates the `.partial` file. @throws {SinkError} if it can't be made, or another run is writing it */
export async function openFileSession(written: WrittenFile, context: SinkContext): Promise<SinkSession> {
  context.signal.throwIfAborted();
  const { owner, path, begin } = written;
  const file = await TargetFile.open(owner, path, context);
  let writtenCount = 0;
  let isWriting = false;
  let rowsAside: RowsAside | undefined;
  const content = begin();
  try {
    await file.append(content.header ?? "");
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    check: (values) => findViolations(written, values),
    write: async (batch) => {
      const rows = batch.flatMap((group) => group.rows);
      for (const values of rows) requireFit(written, values);
      isWriting = true;
      try {
        await append(file, await content.rows(rows));
      } finally {
        isWriting = false;
      }
      writtenCount += rows.length;
    },
    close: async (outcome, { readCount } = { readCount: writtenCount }) => {
      if (file.isClosed) return;
      const isStopped = outcome === "stopped";
      if (isStopped && writtenCount > 0) rowsAside = { path: file.partialPath, reason: "stopped" };
      try {
        if (content.end !== undefined && !isWriting) await file.append(content.end());
      } catch (error) {
        await file.close();
        if (isStopped) return; // what is there can't be made better
        throw error;
      }
      if (isStopped) await file.close();
      else rowsAside = await file.publish({ readCount, writtenCount });
    },
    rowsAside: () => rowsAside,
  };
}

async function append(file: TargetFile, piece: FilePiece | AppendedPiece): Promise<void> {
  if (typeof piece === "string" || piece instanceof Uint8Array) {
    await file.append(piece);
    return;
  }
  await file.append(piece.bytes);
  piece.appended();
}

/** The preflight of {@link openFileSession}; it makes nothing. */
export async function lookAtFile(written: WrittenFile, context: SinkContext): Promise<Omit<SinkSession, "write">> {
  context.signal.throwIfAborted();
  await TargetFile.preflight(written.owner, written.path, context);
  return { check: (values) => findViolations(written, values), close: async () => {} };
}

/** @throws {SinkDataError} for what {@link findViolations} reports: nothing was written */
function requireFit(written: WrittenFile, values: ColumnValues): void {
  const [violation] = findViolations(written, values);
  if (violation === undefined) return;
  throw new SinkDataError(written.owner, violation.message, { facts: { where: violation.column } });
}

function findViolations({ columns, problemOf = textProblem }: WrittenFile, values: ColumnValues): readonly Violation[] {
  return columns.flatMap((column) => {
    const problem = problemOf(values[column]);
    if (problem === undefined) return [];
    const message = `column "${column}" ${problem}`;
    return [{ column, message, detail: message }];
  });
}
