import { checkOptions, isName, isObject, optional } from "../errors/options.ts";
import { SourceError } from "../errors/source.ts";
import { scanForKeys } from "../engine/primary-key.ts";
import type { ReadContext, RowSchema, Source, SourceRow } from "../contracts/source.ts";

export interface MemorySourceOptions<Row extends object> {
  /** The rows, or a function that returns something to iterate over: it is called anew for each read. */
  readonly rows: readonly object[] | (() => Iterable<object> | AsyncIterable<object>);
  /** The column with the primary key. */
  readonly primaryKeyColumn: NoInfer<keyof Row & string>;
  /** The schema of a row: it is applied to each row, and gives the row type. @default none */
  readonly schema?: RowSchema<Row> | undefined;
}

/**
 * A source of rows in memory, for tests. Give the row type by a schema or as `MemorySource<Row>`.
 *
 * @example new MemorySource<{ id: string }>({ rows: [{ id: "a" }, { id: "b" }], primaryKeyColumn: "id" })
 */
export class MemorySource<Row extends object> implements Source<Row> {
  readonly name = "memory";
  readonly primaryKeyColumn: keyof Row & string;
  readonly schema: RowSchema<Row> | undefined;
  readonly read: Source<Row>["read"];
  readonly find: (pks: readonly string[], context: ReadContext) => Promise<AsyncIterable<SourceRow>>;
  readonly count: () => Promise<number | undefined>;

  /** @throws {OptionError} for an option that is unknown or has a wrong value */
  constructor(options: MemorySourceOptions<Row>) {
    checkOptions("MemorySource", options, {
      rows: {
        expected: "an array or a function",
        fits: (value) => typeof value === "function" || Array.isArray(value),
        required: true,
      },
      primaryKeyColumn: isName,
      schema: optional(isObject),
    });
    const { rows, primaryKeyColumn, schema } = options;
    this.primaryKeyColumn = primaryKeyColumn;
    this.schema = schema;
    this.count = async () => await Promise.resolve(typeof rows === "function" ? undefined : rows.length);
    this.find = async (pks, context) => await Promise.resolve(scanForKeys(this, pks, context));
    this.read = async function* read({ signal, parameters }) {
      const [name] = Object.keys(parameters);
      if (name !== undefined) {
        throw new SourceError("memory", "it takes no parameters", { facts: { where: "parameters", got: name } });
      }
      let position = 0;
      for await (const row of typeof rows === "function" ? rows() : rows) {
        if (signal.aborted) return;
        position += 1;
        yield { position, raw: { ...row } };
      }
    };
  }
}
