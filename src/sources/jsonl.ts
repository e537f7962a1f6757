import { isUtf8 } from "node:buffer";
import { chunksOf, openFile } from "../data-file/read-file.ts";
import { linesOf, type TextLine } from "../data-file/text-lines.ts";
import { scanForKeys } from "../engine/primary-key.ts";
import { describeType } from "../errors/describe-type.ts";
import { RowError } from "../errors/llm-etl-error.ts";
import { checkOptions, isName, isObject, isPath, optional } from "../errors/options.ts";
import { SourceError } from "../errors/source.ts";
import { absolutePath } from "../files/paths.ts";
import { isReadOnce } from "../files/read-once.ts";
import { parseExactly } from "../json/json.ts";
import type { CountContext, ReadContext, RowSchema, Source, SourceRow } from "../contracts/source.ts";

/** The options of a {@link JSONLSource}. */
export interface JSONLSourceOptions<Row extends object> {
  /** The file; a text is relative to the working directory. */
  readonly filePath: string | URL;
  /** The field that identifies a row: a value of its own for each row, never blank. */
  readonly primaryKeyColumn: NoInfer<keyof Row & string>;
  /** Checks and converts each row. @default rows are as the file has them */
  readonly schema?: RowSchema<Row> | undefined;
}

/** A longer line is a row error. In bytes. */
const maxLineBytes = 16 * 1024 * 1024;

/**
 * Reads the rows of a file with one JSON object on each line (JSON Lines, NDJSON; UTF-8), a chunk at a time. Blank lines are passed over.
 *
 * A whole number beyond 2^53 is a bigint, and a number with more digits than JavaScript's numbers hold is its text: no digit is lost.
 *
 * A line that is no JSON object, that is not UTF-8 or that has more than 16 MiB is a row error with its line number, and reading goes on.
 * A file that is missing, of another encoding, or one JSON value over several lines ends the source with a {@link SourceError}.
 *
 * @example new JSONLSource({ filePath: "data/messages.jsonl", primaryKeyColumn: "id", schema: Message })
 * @throws {OptionError} at construction, for an unknown option or a wrong value
 */
export class JSONLSource<Row extends object = Record<string, unknown>> implements Source<Row> {
  readonly name = "jsonl";
  readonly namesAreData = true;
  readonly primaryKeyColumn: keyof Row & string;
  readonly schema: RowSchema<Row> | undefined;
  readonly files: readonly string[];
  /** Opens the file at the first pull, each time anew. It takes no parameters. */
  readonly read: (context: ReadContext) => AsyncGenerator<SourceRow, void, undefined>;
  /** Reads the file once, up to the last row that is looked for. */
  readonly find: (pks: readonly string[], context: ReadContext) => Promise<AsyncGenerator<SourceRow, void, undefined>>;
  /** Reads the whole file once more. Resolves to undefined for a pipe: what the count took from it, the run would lack. */
  readonly count: (context: CountContext) => Promise<number | undefined>;

  constructor(options: JSONLSourceOptions<Row>) {
    const checks = { filePath: isPath, primaryKeyColumn: isName, schema: optional(isObject) };
    checkOptions("JSONLSource", options, checks);
    const path = absolutePath(options.filePath);
    this.primaryKeyColumn = options.primaryKeyColumn;
    this.schema = options.schema;
    this.files = [path];
    this.read = (context) => readRows(path, context);
    this.find = async (pks, context) => await Promise.resolve(scanForKeys(this, pks, context));
    this.count = async (context) => (isReadOnce(path) ? undefined : await countRows(path, context));
  }
}

async function* readRows(
  path: string,
  { signal, parameters }: ReadContext,
): AsyncGenerator<SourceRow, void, undefined> {
  const names = Object.keys(parameters);
  if (names.length > 0) {
    throw new SourceError(`JSONLSource ${path}`, "a JSON Lines file takes no parameters", {
      facts: { got: names.join(", "), hint: "leave them out" },
    });
  }
  let position = 0;
  for await (const line of fullLinesOf(path, signal)) {
    signal.throwIfAborted();
    position += 1;
    yield rowOf(line, position, path);
  }
}

async function countRows(path: string, { signal, limit }: CountContext): Promise<number> {
  let count = 0;
  for await (const _ of fullLinesOf(path, signal)) {
    count += 1;
    if (count >= limit) break;
  }
  return count;
}

async function* fullLinesOf(path: string, signal: AbortSignal): AsyncGenerator<TextLine, void, undefined> {
  signal.throwIfAborted();
  const owner = `JSONLSource ${path}`;
  const file = await openFile(owner, path);
  try {
    for await (const line of linesOf(chunksOf(file, owner, signal), { owner, maxLineBytes })) {
      if (!isBlank(line)) yield line;
    }
  } finally {
    await file.close();
  }
}

function isBlank({ bytes }: TextLine): boolean {
  return bytes?.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d) ?? false;
}

function rowOf({ number, bytes }: TextLine, position: number, path: string): SourceRow {
  const reject = (fault: string, facts: Readonly<Record<string, unknown>>, raw?: unknown): SourceRow => {
    const problem = `row ${position} (line ${number} of ${path}) ${fault}`;
    const detail = raw === undefined ? problem : `${problem}, ${JSON.stringify(raw)}`;
    const error = new RowError("JSONL_ROW_INVALID", problem, {
      detail,
      facts: { where: position, line: number, path, ...facts },
    });
    return { position, error, raw };
  };
  if (bytes === null) return reject("is too long", { expected: `at most ${maxLineBytes} bytes` });
  const text = bytes.toString();
  if (!isUtf8(bytes))
    return reject("has bytes that are not UTF-8", { expected: "utf-8", hint: "convert the file to UTF-8" }, text);
  let value: unknown;
  try {
    value = parseExactly(text);
  } catch (cause) {
    if (position === 1 && /^\s*(?:\[|\{\s*$)/.test(text)) throw notLines(path, cause);
    return reject("is no JSON", { expected: "one JSON object on the line" }, text);
  }
  if (position === 1 && Array.isArray(value)) throw notLines(path);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return { position, raw: value as Readonly<Record<string, unknown>> }; // an object of JSON has fields by name
  }
  return reject("is no JSON object", { expected: "one JSON object on the line", got: describeType(value) }, text);
}

/** One list or one object over several lines, as most programs write JSON. */
function notLines(path: string, cause?: unknown): SourceError {
  const hint = "a list is made into lines by jq -c '.[]', an object by jq -c .";
  const facts = { expected: "one JSON object on each line", hint };
  return new SourceError(`JSONLSource ${path}`, "the file is one JSON value, and not JSON Lines", { cause, facts });
}
