import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { loadDriver, type Driver } from "./driver.ts";

export interface DatabaseSettings {
  /** A database file, which is opened to be read only. @default a database in memory */
  readonly path?: string | undefined;
  /** For the data that DuckDB holds, in MiB; its own objects and results come on top. */
  readonly memoryMiB: number;
  readonly threads: number;
  /** True if a query that needs more may use a folder of the system's for temporary files, which is removed at the end. */
  readonly maySpill: boolean;
}

/** An open database with one connection. No extension is loaded or downloaded, and times without a zone are in UTC. */
export class Database {
  readonly driver: Driver;
  readonly connection: DuckDBConnection;
  readonly #instance: DuckDBInstance;
  readonly #folder: string | undefined;
  #isClosed = false;

  private constructor(
    driver: Driver,
    { connection, instance, folder }: { connection: DuckDBConnection; instance: DuckDBInstance; folder?: string },
  ) {
    this.driver = driver;
    this.connection = connection;
    this.#instance = instance;
    this.#folder = folder;
  }

  /** @throws as {@link loadDriver}; DuckDB's own error for a file that it can't open */
  static async open(owner: string, { path, memoryMiB, threads, maySpill }: DatabaseSettings): Promise<Database> {
    const driver = await loadDriver(owner);
    const folder = maySpill ? await mkdtemp(join(tmpdir(), "llm-etl-duckdb-")) : undefined;
    let instance: DuckDBInstance | undefined;
    try {
      instance = await driver.DuckDBInstance.create(path ?? ":memory:", {
        ...(path !== undefined && { access_mode: "READ_ONLY" }),
        autoinstall_known_extensions: "false",
        autoload_known_extensions: "false",
        allow_community_extensions: "false",
        allow_persistent_secrets: "false",
        enable_external_file_cache: "false", // it would hold what was read, up to the limit
        memory_limit: `${memoryMiB}MiB`,
        threads: String(threads),
        // Its allocator keeps 128 and 512 MiB of freed memory by default: of a process that reads and writes a million rows, 50 MiB.
        allocator_flush_threshold: "4MiB",
        allocator_bulk_deallocation_flush_threshold: "4MiB",
        temp_directory: folder ?? "",
      });
      const connection = await instance.connect();
      await connection.run("SET TimeZone = 'UTC'");
      // What waits in the stream holds the row group that it comes from, while the next one is read.
      await connection.run("SET streaming_buffer_size = '32KiB'");
      await connection.run("SET lock_configuration = true");
      return new Database(driver, { connection, instance, ...(folder !== undefined && { folder }) });
    } catch (error) {
      instance?.closeSync();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /**
   * Ends what runs on the connection when the signal aborts, and what begins after that: it then throws. An interruption between two statements,
   * or while one is prepared, is forgotten, so that it is repeated. Returns what ends it.
   */
  interruptOn(signal: AbortSignal): () => void {
    let timer: NodeJS.Timeout | undefined;
    const interrupt = (): void => this.connection.interrupt();
    const stop = (): void => {
      interrupt();
      timer = setInterval(interrupt, 20);
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    return () => {
      signal.removeEventListener("abort", stop);
      clearInterval(timer);
    };
  }

  /** A second call does nothing. Nothing may run on the connection any more. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.connection.run("SELECT 1").catch(() => {}); // ends a result that was not read to its end, with the row group that it holds
    this.connection.closeSync();
    this.#instance.closeSync();
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A text as SQL has it in quotes. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A name as SQL has it in quotes. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
