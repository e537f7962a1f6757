import { readFile } from "node:fs/promises";
import type { ErrorOptions } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";
import { absolutePath } from "../files/paths.ts";
import { isReadOnce } from "../files/read-once.ts";
import { messageOf } from "../errors/error-text.ts";

/** One query: as text, or in a file of its own (UTF-8), whose path is relative to the working directory or a file: URL. */
export type QueryTextOptions =
  | { readonly sql: string; readonly sqlFile?: undefined }
  | { readonly sqlFile: string | URL; readonly sql?: undefined };

export interface QueryText {
  /** For messages: `the sql`, or `the sqlFile` with its path. */
  readonly where: string;
  /** The file, where it is in one. */
  readonly files: readonly string[];
  /** A file is read each time, a pipe once: it gives its text once. @throws what `fail` makes, for a file that is not there or is not UTF-8 */
  readonly read: () => Promise<string>;
}

/** @throws {OptionError} unless exactly one of `sql` and `sqlFile` is given */
export function queryText(
  owner: string,
  { sql, sqlFile }: QueryTextOptions,
  fail: (problem: string, options: ErrorOptions) => Error,
): QueryText {
  if (sql !== undefined && sqlFile === undefined)
    return { where: "the sql", files: [], read: () => Promise.resolve(sql) };
  if (sqlFile === undefined || sql !== undefined) {
    const given = sql === undefined ? "neither" : "both";
    throw new OptionError(owner, "sql", "", { expected: "exactly one of sql and sqlFile", got: given });
  }
  const path = absolutePath(sqlFile);
  const where = `the sqlFile ${path}`;
  let fromPipe: Promise<Buffer> | undefined;
  const read = async (): Promise<string> => {
    try {
      if (isReadOnce(path)) fromPipe ??= readFile(path);
      return new TextDecoder("utf-8", { fatal: true }).decode(await (fromPipe ?? readFile(path)));
    } catch (cause) {
      const problem = cause instanceof TypeError ? "it is not UTF-8 text" : messageOf(cause);
      throw fail(`${where} can't be read (${problem})`, { cause, facts: { where: path } });
    }
  };
  return { where, files: [path], read };
}
