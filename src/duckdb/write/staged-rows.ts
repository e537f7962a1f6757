import { open, readFile, rm } from "node:fs/promises";
import type { DuckDBAppender, DuckDBType, DuckDBValue } from "@duckdb/node-api";
import type { StagedValue } from "../../table/fit.ts";
import { Database, quoteName, quoteText } from "../database.ts";
import type { ParquetColumn } from "./column-type.ts";

export type Cells = readonly (StagedValue | null)[];

export interface StagedOptions {
  /** The columns by name, in their order. */
  readonly columns: readonly (readonly [name: string, column: ParquetColumn])[];
  readonly compression: string;
  /** The file through which each row group goes: of mode 0600, and removed again. */
  readonly groupPath: string;
}

/** DuckDB's chunks have at most so many rows. */
const chunkRows = 2_048;

/** A row group has so many rows, or rows with so many characters and bytes: what is held in memory. */
const mostRows = 122_880;
const mostCharacters = 2 * 1024 * 1024;

/** Rows on their way into a Parquet file: in a table in memory, until they are a row group. */
export class StagedRows {
  readonly #database: Database;
  readonly #options: StagedOptions;
  readonly #types: readonly DuckDBType[];
  #appender: DuckDBAppender | undefined;
  #chunk: Cells[] = [];
  #chunkCharacters = 0;
  #rowCount = 0;
  #characters = 0;

  private constructor(database: Database, options: StagedOptions) {
    this.#database = database;
    this.#options = options;
    const { BLOB, VARCHAR } = database.driver;
    this.#types = options.columns.map(([, { isBinary }]) => (isBinary ? BLOB : VARCHAR));
  }

  static async open(owner: string, options: StagedOptions): Promise<StagedRows> {
    await rm(options.groupPath, { force: true }); // of a run that was killed
    const database = await Database.open(owner, { memoryMiB: 512, threads: 1, maySpill: false });
    try {
      const staged = new StagedRows(database, options);
      await staged.#empty();
      return staged;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** True once the rows are to become a row group. */
  get isFull(): boolean {
    return (
      this.#rowCount + this.#chunk.length >= mostRows || this.#characters + this.#chunkCharacters >= mostCharacters
    );
  }

  get isEmpty(): boolean {
    return this.#rowCount + this.#chunk.length === 0;
  }

  add(cells: Cells): void {
    this.#chunk.push(cells);
    for (const cell of cells)
      if (typeof cell !== "boolean" && typeof cell !== "number") this.#chunkCharacters += cell?.length ?? 0;
    if (this.#chunk.length >= chunkRows || this.#chunkCharacters >= mostCharacters / 8) this.#append();
  }

  /** A Parquet file of the rows, which are then no longer held. */
  async take(): Promise<Buffer> {
    const { columns, compression, groupPath } = this.#options;
    if (this.#chunk.length > 0) this.#append();
    this.#appender?.closeSync();
    this.#appender = undefined;
    const list = columns.map(([name, { sql }], index) => `${sql(`c${index}`)} AS ${quoteName(name)}`).join(", ");
    const format = `FORMAT parquet, COMPRESSION ${compression}, ROW_GROUP_SIZE ${mostRows}, USE_TMP_FILE false`;
    let bytes: Buffer;
    try {
      await (await open(groupPath, "w", 0o600)).close(); // DuckDB writes over it, and keeps its mode
      await this.#database.connection.run(`COPY (SELECT ${list} FROM staged) TO ${quoteText(groupPath)} (${format})`);
      bytes = await readFile(groupPath);
    } finally {
      await rm(groupPath, { force: true }).catch(() => {}); // an error before says more, and the next run removes it
    }
    await this.#empty();
    return bytes;
  }

  async close(): Promise<void> {
    this.#appender = undefined;
    await this.#database.close();
  }

  async #empty(): Promise<void> {
    const { connection, driver } = this.#database;
    const list = this.#types.map((type, index) => `c${index} ${type === driver.BLOB ? "BLOB" : "VARCHAR"}`).join(", ");
    await connection.run(`CREATE OR REPLACE TABLE staged (${list})`);
    this.#appender = await connection.createAppender("staged");
    [this.#rowCount, this.#characters] = [0, 0];
  }

  #append(): void {
    const { driver } = this.#database;
    const chunk = driver.DuckDBDataChunk.create(this.#types, this.#chunk.length);
    for (const index of this.#types.keys()) {
      const values = this.#chunk.map((cells): DuckDBValue => {
        const cell = cells[index] ?? null;
        if (cell === null) return null;
        return Buffer.isBuffer(cell) ? new driver.DuckDBBlobValue(cell) : String(cell);
      });
      chunk.setColumnValues(index, values);
    }
    this.#appender?.appendDataChunk(chunk);
    this.#appender?.flushSync();
    this.#rowCount += this.#chunk.length;
    this.#characters += this.#chunkCharacters;
    [this.#chunk, this.#chunkCharacters] = [[], 0];
  }
}
