import { renamedOption } from "../errors/deprecation.ts";
import { SinkDataError } from "../errors/sink.ts";
import { checkOptions, isBoolean, isFunction, isFunctionMap, isName, isTextList, optional } from "../errors/options.ts";
import type { ColumnMap, ColumnValues, Sink, SinkGroups } from "../contracts/sink.ts";

export interface MemorySinkOptions<State, Column extends string> {
  readonly columnMap: ColumnMap<State, Column>;
  /** The columns that identify a row: a later row with the same values replaces it. @default every row is added */
  readonly mergeKeys?: readonly NoInfer<Column>[] | undefined;
  /** Those of `mergeKeys` that all items of a row share, for a sink behind `each`. @default one row for each */
  readonly groupKey?: readonly NoInfer<Column>[] | undefined;
  /** @default "memory" */
  readonly identity?: string | undefined;
  /** @default false */
  readonly preserveOrder?: boolean | undefined;
  /** The answer of the database to a row: a text rejects the row, and its whole batch. */
  readonly reject?: ((values: ColumnValues) => string | undefined) | undefined;
  /** @deprecated Its name in 0.1; write `reject`. */
  readonly refuse?: ((values: ColumnValues) => string | undefined) | undefined;
}

/** Keeps rows in memory, for tests. */
export class MemorySink<State, const Column extends string> implements Sink<State> {
  readonly name = "memory";
  readonly identity: string;
  readonly keepsRows = true;
  readonly preserveOrder: boolean;
  readonly groups: SinkGroups | undefined;
  readonly columnMap: ColumnMap<State, Column>;
  readonly open: Sink<State>["open"];
  readonly #rows = new Map<string, ColumnValues>();
  #batchCount = 0;

  constructor(options: MemorySinkOptions<State, Column>) {
    checkOptions("MemorySink", options, {
      columnMap: isFunctionMap,
      mergeKeys: optional(isTextList),
      groupKey: optional(isTextList),
      identity: optional(isName),
      preserveOrder: optional(isBoolean),
      reject: optional(isFunction),
      refuse: optional(isFunction),
    });
    const { columnMap, mergeKeys, groupKey, identity = "memory", preserveOrder = false } = options;
    const reject = renamedOption("MemorySink", ["reject", options.reject], ["refuse", options.refuse]);
    this.identity = identity;
    this.groups = groupKey && { groupKey, mergeKeys: mergeKeys ?? groupKey };
    this.preserveOrder = preserveOrder;
    this.columnMap = columnMap;
    this.open = async ({ signal }) => {
      signal.throwIfAborted();
      return {
        write: async (batch) => {
          const rows = batch.flatMap((group) => group.rows);
          for (const values of rows) {
            const problem = reject?.(values);
            if (problem !== undefined) throw new SinkDataError("memory", problem);
          }
          for (const values of batch.flatMap((group) => group.gone ?? [])) {
            this.#rows.delete(this.#keyOf(values, mergeKeys));
          }
          for (const values of rows) this.#rows.set(this.#keyOf(values, mergeKeys), values);
          this.#batchCount += 1;
        },
        isEmpty: async () => this.#rows.size === 0,
        ...(mergeKeys !== undefined && {
          holds: async (values) => this.#rows.has(this.#keyOf(values, mergeKeys)),
          keyOf: (values) => this.#keyOf(values, mergeKeys),
        }),
        close: async () => {},
      };
    };
  }

  /** The rows that were written, in the order of their first write. */
  get rows(): readonly ColumnValues[] {
    return [...this.#rows.values()];
  }

  /** How many batches were written. */
  get batchCount(): number {
    return this.#batchCount;
  }

  #keyOf(values: ColumnValues, mergeKeys: readonly string[] | undefined): string {
    if (mergeKeys === undefined) return String(this.#rows.size);
    return JSON.stringify(mergeKeys.map((key) => values[key]));
  }
}
