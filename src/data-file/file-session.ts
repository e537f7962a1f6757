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
  /** Stands before the rows. @default nothing */
  readonly header?: string | undefined;
  readonly textOf: (rows: readonly ColumnValues[]) => string;
}

/** Creates the `.partial` file. @throws {SinkError} if it can't be made, or another run is writing it */
export async function openFileSession(written: WrittenFile, context: SinkContext): Promise<SinkSession> {
  context.signal.throwIfAborted();
  const { owner, path, columns, header = "", textOf } = written;
  const file = await TargetFile.open(owner, path, context);
  let writtenCount = 0;
  let rowsAside: RowsAside | undefined;
  try {
    await file.append(header);
  } catch (error) {
    await file.close();
    throw error;
  }
  return {
    check: (values) => findViolations(columns, values),
    write: async (batch) => {
      const rows = batch.flatMap((group) => group.rows);
      for (const values of rows) requireText(owner, columns, values);
      await file.append(textOf(rows));
      writtenCount += rows.length;
    },
    close: async (outcome, { readCount } = { readCount: writtenCount }) => {
      if (outcome === "completed") {
        rowsAside ??= await file.publish({ readCount, writtenCount });
        return;
      }
      if (writtenCount > 0 && !file.isClosed) rowsAside = { path: file.partialPath, reason: "stopped" };
      await file.close();
    },
    rowsAside: () => rowsAside,
  };
}

/** The preflight of {@link openFileSession}; it makes nothing. */
export async function lookAtFile(
  { owner, path, columns }: Pick<WrittenFile, "owner" | "path" | "columns">,
  context: SinkContext,
): Promise<Omit<SinkSession, "write">> {
  context.signal.throwIfAborted();
  await TargetFile.preflight(owner, path, context);
  return { check: (values) => findViolations(columns, values), close: async () => {} };
}

/** @throws {SinkDataError} for what {@link findViolations} reports: nothing was written */
function requireText(owner: string, columns: readonly string[], values: ColumnValues): void {
  const [violation] = findViolations(columns, values);
  if (violation === undefined) return;
  throw new SinkDataError(owner, violation.message, { facts: { where: violation.column } });
}

function findViolations(columns: readonly string[], values: ColumnValues): readonly Violation[] {
  return columns.flatMap((column) => {
    const problem = textProblem(values[column]);
    if (problem === undefined) return [];
    const message = `column "${column}" ${problem}`;
    return [{ column, message, detail: message }];
  });
}
