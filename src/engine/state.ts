import type { Lineage, StateFields } from "../contracts/state.ts";
import { toJSONValue } from "../json/json.ts";

/**
 * All that is known of one row on its way: the source's row and what each step has added. Immutable: a step
 * returns only what it adds.
 *
 * `JSON.stringify(state)` works whatever the row holds: dates become ISO 8601, Buffers base64, bigints text.
 */
export class GlobalState<Row extends object = object, Processed extends object = object> implements StateFields<
  Row,
  Processed
> {
  /** The primary key as text, after the source's schema; the typed value is in `raw`. */
  readonly pk: string;
  /** The row as the source gave it (after its schema). */
  readonly raw: Readonly<Row>;
  /** The outputs of the steps passed so far, each under its output key. */
  readonly processed: Readonly<Processed>;
  /** The names of the steps passed, in order. */
  readonly log: readonly string[];
  /** When the row was read. */
  readonly startedAt: Date;

  constructor(fields: StateFields<Row, Processed>) {
    this.pk = fields.pk;
    this.raw = fields.raw;
    this.processed = fields.processed;
    this.log = fields.log;
    this.startedAt = fields.startedAt;
  }

  /** A new state that also holds `output` under `outputKey`. */
  with<Key extends string, Out>(
    step: string,
    outputKey: Key,
    output: Out,
  ): GlobalState<Row, Processed & { readonly [Name in Key]: Out }> {
    // A computed key widens to string in TypeScript; the spread holds exactly the old fields and the new one.
    const processed = { ...this.processed, [outputKey]: output } as Processed & { readonly [Name in Key]: Out };
    const { pk, raw, startedAt } = this;
    return new GlobalState({ pk, raw, processed: Object.freeze(processed), log: [...this.log, step], startedAt });
  }

  toJSON(): unknown {
    return toJSONValue({ ...this });
  }

  toString(): string {
    return JSON.stringify(this);
  }
}

/** The state that a sink's column map sees: the finished row, and the facts of the run for audit columns. */
export class SinkState<Row extends object = object, Processed extends object = object> extends GlobalState<
  Row,
  Processed
> {
  /** When the last step ended. */
  readonly completedAt: Date;
  readonly run: { readonly id: string };
  /** Per output key the model calls behind it; null for a step that made none. */
  readonly lineage: { readonly [Key in keyof Processed]: Lineage | null };

  constructor(
    state: StateFields<Row, Processed>,
    completed: Pick<SinkState<Row, Processed>, "completedAt" | "run" | "lineage">,
  ) {
    super(state);
    this.completedAt = completed.completedAt;
    this.run = completed.run;
    this.lineage = completed.lineage;
  }
}

/** The state that the column map of a sink behind `each` sees: the finished row, and one of its items. */
export class ItemState<
  Row extends object = object,
  Processed extends object = object,
  Item = unknown,
> extends SinkState<Row, Processed> {
  readonly item: Item;
  /** The item's place among those of its row, from 0. */
  readonly index: number;

  constructor(state: SinkState<Row, Processed>, item: Item, index: number) {
    super(state, state);
    this.item = item;
    this.index = index;
  }
}

/** A state whose types do not matter: the builder has matched them. */
export type AnyState = GlobalState<object, Readonly<Record<string, unknown>>>;
