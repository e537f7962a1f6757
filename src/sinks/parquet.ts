import type { ColumnMap, Sink, SinkContext, SinkRun, SinkSession } from "../contracts/sink.ts";
import type { Requirements } from "../contracts/requirements.ts";
import { filesOfPlace, targetPlace } from "../data-file/target-place.ts";
import { packageName } from "../duckdb/driver.ts";
import { type ParquetColumn, parquetColumn, type ParquetType, parquetTypes } from "../duckdb/write/column-type.ts";
import { groupPathOf, lookAtParquet, openParquet } from "../duckdb/write/parquet-session.ts";
import { OptionError } from "../errors/option.ts";
import { checkOptions, isBoolean, isFunctionMap, isObject, isOneOf, isPath, optional } from "../errors/options.ts";
import { absolutePath } from "../files/paths.ts";

export type { ParquetScalar, ParquetType } from "../duckdb/write/column-type.ts";

/** The options of a {@link ParquetSink}. */
export interface ParquetSinkOptions<State, Column extends string = string> {
  /** The file; a text is relative to the working directory. Its folder is created if it is missing. */
  readonly filePath: string | URL;
  /** The columns, in the order in which they are written, each with the function that gives its value. */
  readonly columnMap: ColumnMap<State, Column>;
  /**
   * The type of each column: `{ id: "BIGINT", labels: "VARCHAR[]", score: "DOUBLE", at: "TIMESTAMPTZ" }`. It is the same in each run, whatever
   * the values are; one that does not fit fails its row.
   */
  readonly columnTypes: Readonly<Record<NoInfer<Column>, ParquetType>>;
  /** How the data is compressed. @default "zstd" */
  readonly compression?: "zstd" | "snappy" | "gzip" | "uncompressed" | undefined;
  /** Writes the rows in the source's order instead of the order in which they are done. It costs waiting: see `CSVSink`. @default false */
  readonly preserveOrder?: boolean | undefined;
}

/**
 * Writes rows to a Parquet file. Needs the package `@duckdb/node-api`.
 *
 * Every run writes the whole file anew, as `CSVSink` does: to `<path>.partial` beside it, which a run that completes renames over the
 * file. What may be replaced, rows of a run with `limit` and the lock against a second run are the same. Row groups are written as they are
 * full, of 122,880 rows or 2 MiB at most.
 *
 * Numbers, booleans, dates and texts that spell them fit the types of that name; objects and lists JSON; bytes BLOB; null and undefined are NULL.
 * A date with a zone is written in UTC.
 *
 * @example new ParquetSink({ filePath: "out/enriched.parquet", columnMap: { id: (s) => s.pk }, columnTypes: { id: "VARCHAR" } })
 * @throws {OptionError} at construction, for an unknown option or a wrong value
 */
export class ParquetSink<State, Column extends string = string> implements Sink<State> {
  readonly name = "parquet";
  readonly identity: string;
  readonly keepsRows = false;
  readonly preserveOrder: boolean;
  readonly columnMap: ColumnMap<State, Column>;
  readonly requirements: Requirements = { packages: [packageName] };
  readonly files: (run: SinkRun) => readonly string[];
  /**
   * Creates the `.partial` file.
   *
   * @throws {SinkError} if the path is a folder, its folder can't be created or written to, or a run is writing to it
   */
  readonly open: (context: SinkContext) => Promise<SinkSession>;
  /** @throws {SinkError} as `open`; makes nothing */
  readonly preflight: (context: SinkContext) => Promise<Omit<SinkSession, "write">>;

  constructor(options: ParquetSinkOptions<State, Column>) {
    checkOptions<ParquetSinkOptions<State, Column>>(owner, options, {
      filePath: isPath,
      columnMap: isFunctionMap,
      columnTypes: isObject,
      compression: optional(isOneOf("zstd", "snappy", "gzip", "uncompressed")),
      preserveOrder: optional(isBoolean),
    });
    const { columnMap, columnTypes, compression = "zstd", preserveOrder = false } = options;
    const path = absolutePath(options.filePath);
    const columns = columnsOf(Object.keys(columnMap), columnTypes);
    this.identity = path;
    this.preserveOrder = preserveOrder;
    this.columnMap = columnMap;
    this.files = (run) => {
      const place = targetPlace(path, run);
      return [...filesOfPlace(place), groupPathOf(place.partialPath)];
    };
    const written = { owner: `${owner} ${path}`, path, columns, compression };
    this.open = async (context) => await openParquet(written, context);
    this.preflight = async (context) => await lookAtParquet(written, context);
  }
}

const owner = "ParquetSink";

function columnsOf(
  names: readonly string[],
  types: Readonly<Record<string, string>>,
): readonly (readonly [name: string, column: ParquetColumn])[] {
  const folded = names.map((name) => name.toLowerCase());
  const twice = names.filter((_, index) => folded.indexOf(folded[index] ?? "") !== index);
  if (twice.length > 0 || names.some((name) => name.trim() === "" || name.includes("\0"))) {
    const expected = "names that are not blank and differ by more than their letter case";
    throw new OptionError(owner, "columnMap", "", { expected, got: twice.length > 0 ? twice : "a blank name" });
  }
  for (const name of Object.keys(types)) {
    if (names.includes(name)) continue;
    throw new OptionError(owner, "columnTypes", `"${name}" is no column of the columnMap`, { column: name });
  }
  return names.map((name) => {
    const type = Object.hasOwn(types, name) ? types[name] : undefined;
    const column = typeof type === "string" ? parquetColumn(type) : undefined;
    if (column !== undefined) return [name, column];
    const got = typeof type === "string" ? JSON.stringify(type) : "nothing";
    throw new OptionError(owner, "columnTypes", `the type of "${name}"`, { expected: parquetTypes, got, column: name });
  });
}
