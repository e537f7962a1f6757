import type {
  ColumnLimit,
  ColumnValues,
  RowsAside,
  SinkContext,
  SinkSession,
  Violation,
} from "../../contracts/sink.ts";
import { TargetFile } from "../../data-file/target-file.ts";
import { codeOf, messageOf } from "../../errors/error-text.ts";
import { SinkDataError, SinkError } from "../../errors/sink.ts";
import { showValue } from "../../table/show-value.ts";
import { loadDriver } from "../driver.ts";
import { meaningOf } from "../error-meaning.ts";
import { cellOf, type ParquetColumn } from "./column-type.ts";
import { JoinedFooter, magic, partsOf } from "./parquet-parts.ts";
import { type Cells, StagedRows } from "./staged-rows.ts";

export interface WrittenParquet {
  /** The sink, for messages. */
  readonly owner: string;
  readonly path: string;
  readonly columns: readonly (readonly [name: string, column: ParquetColumn])[];
  readonly compression: string;
}

/** The file beside the `.partial` file through which row groups go. */
export function groupPathOf(partialPath: string): string {
  return `${partialPath}.group`;
}

/** Looks at all that {@link openParquet} looks at, and makes nothing. @throws as that */
export async function lookAtParquet(
  { owner, path, columns }: WrittenParquet,
  context: SinkContext,
): Promise<Omit<SinkSession, "write">> {
  context.signal.throwIfAborted();
  await loadDriver(owner);
  await TargetFile.preflight(owner, path, context);
  return { ...lookOf(columns), close: async () => {} };
}

/** Creates the `.partial` file. @throws {SinkError} if it can't be made, or another run is writing it */
export async function openParquet(written: WrittenParquet, context: SinkContext): Promise<SinkSession> {
  const { owner, path, columns, compression } = written;
  context.signal.throwIfAborted();
  await loadDriver(owner);
  const target = await TargetFile.open(owner, path, context);
  try {
    const groupPath = groupPathOf(target.partialPath);
    const rows = await StagedRows.open(owner, { columns, compression, groupPath });
    const file = new ParquetFile(owner, target, rows);
    const write: SinkSession["write"] = async (batch) => {
      const cells = batch.flatMap((group) => group.rows).map((values) => cellsOf(owner, columns, values));
      await file.add(cells);
    };
    return { ...lookOf(columns), write, close: file.close, rowsAside: () => file.rowsAside };
  } catch (error) {
    await target.close();
    throw error;
  }
}

/** A Parquet file on its way: row groups are written as they are full, and what tells where they are at the end. */
class ParquetFile {
  rowsAside: RowsAside | undefined;
  readonly #owner: string;
  readonly #target: TargetFile;
  readonly #rows: StagedRows;
  readonly #footer = new JoinedFooter();
  #writtenCount = 0;
  #length = 0;

  constructor(owner: string, target: TargetFile, rows: StagedRows) {
    this.#owner = owner;
    this.#target = target;
    this.#rows = rows;
  }

  async add(rows: readonly Cells[]): Promise<void> {
    for (const cells of rows) {
      await this.#try(() => this.#rows.add(cells));
      if (this.#rows.isFull) await this.#writeGroup();
    }
    this.#writtenCount += rows.length;
  }

  readonly close: SinkSession["close"] = async (outcome, { readCount } = { readCount: this.#writtenCount }) => {
    if (this.#target.isClosed) return;
    const writtenCount = this.#writtenCount;
    try {
      if (outcome === "completed") {
        await this.#finish();
        this.#requireAll();
        this.rowsAside = await this.#target.publish({ readCount, writtenCount });
      } else if (writtenCount > 0) {
        await this.#finish();
        this.rowsAside = { path: this.#target.partialPath, reason: "stopped" };
      }
    } finally {
      await this.#rows.close();
      await this.#target.close();
    }
  };

  async #finish(): Promise<void> {
    if (!this.#footer.hasColumns || !this.#rows.isEmpty) await this.#writeGroup();
    await this.#append(this.#footer.bytes());
  }

  #requireAll(): void {
    const [expected, got] = [this.#writtenCount, this.#footer.rowCount];
    if (got === expected) return;
    throw new SinkError(this.#owner, "the file has not as many rows as were written to it", {
      facts: { expected, got },
    });
  }

  async #writeGroup(): Promise<void> {
    const { data, footer } = partsOf(await this.#try(async () => await this.#rows.take()));
    if (this.#length === 0) await this.#append(magic);
    const at = this.#length;
    await this.#append(data);
    this.#footer.add(footer, at);
  }

  async #append(bytes: Buffer): Promise<void> {
    await this.#target.append(bytes);
    this.#length += bytes.length;
  }

  /** Work of DuckDB's, with errors of ours. */
  async #try<Result>(work: () => Result | Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (cause) {
      const where = groupPathOf(this.#target.partialPath);
      const { problem, detail, facts } = meaningOf(cause, [where]);
      const code = codeOf(cause); // of the file system; DuckDB's errors have none
      const said = code === undefined ? problem : messageOf(cause);
      const isLarge = facts["code"] === "OUT_OF_MEMORY";
      throw new SinkError(this.#owner, `${where} can't be written (${said})`, {
        cause,
        detail: `${where} can't be written: ${detail}`,
        facts: { code, ...facts, where, hint: isLarge ? "write shorter texts, or fewer columns" : "is the disk full?" },
      });
    }
  }
}

/** @throws {SinkDataError} for a value that does not fit its column: nothing of the batch was written */
function cellsOf(owner: string, columns: WrittenParquet["columns"], values: ColumnValues): Cells {
  return columns.map(([name, column]) => {
    const fitted = cellOf(column, values[name]);
    if (fitted.ok) return fitted.value;
    const problem = `column "${name}": ${fitted.problem}`;
    throw new SinkDataError(owner, problem, {
      detail: `${problem}: ${showValue(values[name])}`,
      facts: { where: name },
    });
  });
}

/** The looks at values before they are written: by the types of the columns. */
function lookOf(columns: WrittenParquet["columns"]): Pick<SinkSession, "check" | "limits"> {
  const check = (values: ColumnValues): readonly Violation[] =>
    columns.flatMap(([name, column]) => {
      const found = problemOf(column, values[name]);
      return found === undefined ? [] : [{ column: name, message: found.message, detail: found.detail }];
    });
  const limits = columns.map(([name, column]): [string, ColumnLimit] => [
    name,
    { schema: column.limit, problemOf: (value) => problemOf(column, value) },
  ]);
  return { check, limits: Object.fromEntries(limits) };
}

function problemOf(column: ParquetColumn, value: unknown): Omit<Violation, "column"> | undefined {
  const fitted = cellOf(column, value);
  if (fitted.ok) return undefined;
  const shown = showValue(value);
  const reAsk = fitted.demand === null ? null : `${fitted.demand}, got ${shown}`;
  return { message: fitted.problem, detail: `${fitted.problem}: ${shown}`, reAsk };
}
