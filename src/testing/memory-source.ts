import { checkOptions, isName, isObject, optional } from "../errors/options.ts";
import { SourceError } from "../errors/source.ts";
import type { RowSchema, Source } from "../contracts/source.ts";

export interface MemorySourceOptions<Row extends object> {
  /** The rows, or whatever can be iterated: a generator function is called anew for each read. */
  readonly rows: readonly object[] | (() => Iterable<object> | AsyncIterable<object>);
  readonly primaryKeyColumn: NoInfer<keyof Row & string>;
  /** Gives the row type, and is applied to each row. */
  readonly schema?: RowSchema<Row> | undefined;
}

/** Rows from memory, for tests. Give the row type by a schema or as `MemorySource<Row>`. */
export class MemorySource<Row extends object> implements Source<Row> {
  readonly name = "memory";
  readonly primaryKeyColumn: keyof Row & string;
  readonly schema: RowSchema<Row> | undefined;
  readonly read: Source<Row>["read"];
  readonly count: () => Promise<number | undefined>;

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
    this.read = async function* read({ signal, parameters }) {
      const [name] = Object.keys(parameters);
      if (name !== undefined) throw new SourceError("memory", `takes no parameters, got "${name}"`);
      let position = 0;
      for await (const row of typeof rows === "function" ? rows() : rows) {
        if (signal.aborted) return;
        position += 1;
        yield { position, raw: { ...row } };
      }
    };
  }
}
