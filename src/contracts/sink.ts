import type { Requirements } from "./requirements.ts";
import type { SQLDialect } from "./target.ts";

/** Per column of the target, a function of the finished state. The engine maps; the sink sees values only. */
export type ColumnMap<State, Column extends string = string> = Readonly<Record<Column, (state: State) => unknown>>;
export type ColumnValues = Readonly<Record<string, unknown>>;

/** All that one row of the source puts into the target: today one row. It is written, counted and resumed as one. */
export interface RowGroup {
  /** The primary key of the source's row. */
  readonly pk: string;
  readonly rows: readonly ColumnValues[];
}

/** The reason why a value can't be written. `message` holds no content, `detail` does. */
export interface Violation {
  readonly column: string;
  readonly message: string;
  readonly detail: string;
  /**
   * For a {@link ColumnLimit}: the line that the model is sent when it is asked again. It speaks of the value alone, for a model can't
   * change the table; null where no answer would help, so that the row fails without a re-ask. @default the detail
   */
  readonly reAsk?: string | null | undefined;
  /** For a {@link ColumnLimit}: the line of an earlier version, where it differs, by which its answers are found. */
  readonly olderReAsk?: string | undefined;
}

/** The values that a column can hold, known before there is one. */
export interface ColumnLimit {
  /** In the words of JSON Schema, for the model to heed. */
  readonly schema: { readonly maxLength?: number; readonly minimum?: number; readonly maximum?: number };
  /** The reason why the column can't hold a value; undefined where it can. */
  readonly problemOf: (value: unknown) => Omit<Violation, "column"> | undefined;
}

export interface SinkContext {
  /** Aborted when the run gives up; an open or a write that waits ends within moments. */
  readonly signal: AbortSignal;
}

/** Takes rows, in batches. */
export interface Sink<State> {
  readonly name: string;
  /** The target, however it is spelt: server, database and table, or the absolute path. */
  readonly identity: string;
  /** Written rows stay for the next run: those of a table do, those of a file that each run writes anew do not. */
  readonly keepsRows: boolean;
  /** Rows must arrive in the source's order. It costs waiting: see `CSVSink`. @default false */
  readonly preserveOrder?: boolean | undefined;
  readonly columnMap: ColumnMap<State>;
  /** The table of a sink that writes to one. */
  readonly table?: SinkTable | undefined;
  /** The packages and variables that `check` looks for. */
  readonly requirements?: Requirements | undefined;
  /** The preflight: rejects a target that does not fit, before the first row is read. */
  readonly open: (context: SinkContext) => Promise<SinkSession>;
  /**
   * The same preflight for `check`, which leaves everything as it was: needed where `open` makes or changes something.
   * @default `open`, and then `close("stopped")`
   */
  readonly preflight?: ((context: SinkContext) => Promise<Omit<SinkSession, "write">>) | undefined;
}

/** The table that a sink writes to, as far as it is known without a connection. */
export interface SinkTable {
  /** As the sink was given it. */
  readonly name: string;
  /** The columns by which rows are found; none where rows are only added. */
  readonly keys: readonly string[];
  /** How rows that are there are treated: `merge`, `update`, `insert` or the like. */
  readonly strategy: string;
  readonly dialect: SQLDialect;
}

export interface SinkSession {
  /** By column of the column map, what it can hold. They reach back to what a model is asked for. */
  readonly limits?: Readonly<Record<string, ColumnLimit>>;
  /**
   * The text that tells the row from all others in the target: of two rows with equal keys the later one replaces the other.
   * @default its primary key, also where this gives undefined
   */
  readonly keyOf?: (values: ColumnValues) => string | undefined;
  /** True if the target has no row at all: asked where earlier runs wrote to it. A sink that keeps rows has it. */
  readonly isEmpty?: () => Promise<boolean>;
  /** True if the target has a row with the key in these values (without keys, any): asked of some unchanged rows. */
  readonly holds?: (values: ColumnValues) => Promise<boolean>;
  /** The last guard before the write, for one row: what the target could not hold. */
  readonly check?: (values: ColumnValues) => readonly Violation[];
  /**
   * Writes a batch, one group for each row of the source: all or nothing, and idempotent by key. One batch at a time. Throws
   * `SinkDataError` where the data is to blame: the engine then halves the batch until the bad groups stand alone.
   */
  readonly write: (batch: readonly RowGroup[]) => Promise<void>;
  readonly close: (outcome: "completed" | "stopped") => Promise<void>;
}
