import { lookAtFile, openFileSession } from "../data-file/file-session.ts";
import { filesOfPlace, targetPlace } from "../data-file/target-place.ts";
import { checkOptions, isBoolean, isFunctionMap, isPath, optional } from "../errors/options.ts";
import { absolutePath } from "../files/paths.ts";
import { writeExactly } from "../json/json.ts";
import type { ColumnMap, ColumnValues, Sink, SinkContext, SinkRun, SinkSession } from "../contracts/sink.ts";

/** The options of a {@link JSONLSink}. */
export interface JSONLSinkOptions<State, Column extends string = string> {
  /** The file; a text is relative to the working directory. Its folder is created if it is missing. */
  readonly filePath: string | URL;
  /** The fields, in the order in which they are written, each with the function that gives its value. */
  readonly columnMap: ColumnMap<State, Column>;
  /** Writes the rows in the source's order instead of the order in which they are done. It costs waiting: see `CSVSink`. @default false */
  readonly preserveOrder?: boolean | undefined;
}

/**
 * Writes rows to a file with one JSON object on each line (JSON Lines, NDJSON; UTF-8, LF).
 *
 * Every run writes the whole file anew, as `CSVSink` does: to `<path>.partial` beside it, which a run that completes renames over the
 * file. What may be replaced, rows of a run with `limit` and the lock against a second run are the same.
 *
 * Text, numbers, booleans, lists and objects are as JSON has them; a bigint is a number with all its digits, a date ISO 8601, bytes base64; null
 * and undefined are null.
 *
 * @example new JSONLSink({ filePath: "output/enriched.jsonl", columnMap: { id: (s) => s.pk, labels: (s) => s.processed.topics.labels } })
 * @throws {OptionError} at construction, for an unknown option or a wrong value
 */
export class JSONLSink<State, Column extends string = string> implements Sink<State> {
  readonly name = "jsonl";
  readonly identity: string;
  readonly keepsRows = false;
  readonly preserveOrder: boolean;
  readonly columnMap: ColumnMap<State, Column>;
  readonly files: (run: SinkRun) => readonly string[];
  /**
   * Creates the `.partial` file.
   *
   * @throws {SinkError} if the path is a folder, its folder can't be created or written to, or a run is writing to it
   */
  readonly open: (context: SinkContext) => Promise<SinkSession>;
  /** @throws {SinkError} as `open`; makes nothing */
  readonly preflight: (context: SinkContext) => Promise<Omit<SinkSession, "write">>;

  constructor(options: JSONLSinkOptions<State, Column>) {
    checkOptions("JSONLSink", options, {
      filePath: isPath,
      columnMap: isFunctionMap,
      preserveOrder: optional(isBoolean),
    });
    const { columnMap, preserveOrder = false } = options;
    const path = absolutePath(options.filePath);
    const columns = Object.keys(columnMap);
    this.identity = path;
    this.preserveOrder = preserveOrder;
    this.columnMap = columnMap;
    this.files = (run) => filesOfPlace(targetPlace(path, run));
    const linesOf = (rows: readonly ColumnValues[]): string => rows.map((values) => lineOf(columns, values)).join("");
    const written = { owner: `JSONLSink ${path}`, path, columns, begin: () => ({ rows: linesOf }) };
    this.open = async (context) => await openFileSession(written, context);
    this.preflight = async (context) => await lookAtFile(written, context);
  }
}

function lineOf(columns: readonly string[], values: ColumnValues): string {
  return `${writeExactly(Object.fromEntries(columns.map((column) => [column, values[column] ?? null])))}\n`;
}
