import type { Requirements } from "./requirements.ts";
import type { SQLDialect } from "./target.ts";

/** Per column of the target, a function of the finished state. The engine maps; the sink sees values only. */
export type ColumnMap<State, Column extends string = string> = Readonly<Record<Column, (state: State) => unknown>>;
export type ColumnValues = Readonly<Record<string, unknown>>;

/** All that one row of the source puts into the target: mostly one row. It is written, counted and resumed as one. */
export interface RowGroup {
  /** The primary key of the source's row. */
  readonly pk: string;
  readonly rows: readonly ColumnValues[];
  /**
   * Rows that were written for this row of the source, and that it no longer has: by the columns of the merge keys. They are deleted in the
   * same transaction, before `rows` are written; one that is not there any more is of no matter. Only of a sink that has `groups`.
   * @default none
   */
  readonly gone?: readonly ColumnValues[] | undefined;
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
  readonly schema: {
    readonly maxLength?: number;
    readonly minimum?: number;
    readonly maximum?: number;
    /** The only values that the column holds, beside NULL. */
    readonly enum?: readonly (string | number)[];
  };
  /** The reason why the column can't hold a value; undefined where it can. */
  readonly problemOf: (value: unknown) => Omit<Violation, "column"> | undefined;
}

/** The run, as far as its sink has to know it. */
export interface SinkRun {
  /** The most rows that the run reads. @default all */
  readonly limit?: number | undefined;
  /** True if what an earlier run wrote is to be replaced also by a part of the rows, or by none. @default false */
  readonly replace?: boolean | undefined;
}

/** The rows of a run that are not where the sink's rows are to be, and why. */
export interface RowsAside {
  /** The absolute path of the file with these rows. */
  readonly path: string;
  /**
   * `limit`: the run read a part of the rows, and the file of an earlier run is kept. `no-row-succeeded`: the same, where every
   * row failed. `stopped`: the run did not complete.
   */
  readonly reason: "limit" | "no-row-succeeded" | "stopped";
}

/** A sink of a pipeline. A row has ended when each of them has it; they take it in their order. */
export interface Destination {
  readonly sink: Sink<never>;
  /** The items of a row, each of which is a row of the target. @default the row is one */
  readonly each?: Each | undefined;
  /** Tells it from the others in messages. @default the pipeline has one sink */
  readonly label?: string | undefined;
}

/** The items of a row that become rows of a target. */
export interface Each {
  /** Gives the array of the items. */
  readonly items: (state: never) => unknown;
  /** Gives what tells an item from the others of its row: a text or a number. */
  readonly key: (item: never, index: number) => unknown;
  /** The most items that a row may have. */
  readonly maxItems: number;
}

export interface SinkContext extends SinkRun {
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
  /**
   * Of a sink that keeps rows, and takes several rows for a row of the source: it then deletes `gone` rows, too.
   * @default it takes one row for each
   */
  readonly groups?: SinkGroups | undefined;
  /** The packages and variables that `check` looks for. */
  readonly requirements?: Requirements | undefined;
  /** The files that a run writes to, as absolute paths: no other file of the run may be one of them. @default none */
  readonly files?: ((run: SinkRun) => readonly string[]) | undefined;
  /** The files of its database, as absolute paths: of a run's parts only a source may use them too. @default none */
  readonly databaseFiles?: readonly string[] | undefined;
  /** The preflight: rejects a target that does not fit, before the first row is read. */
  readonly open: (context: SinkContext) => Promise<SinkSession>;
  /**
   * The same preflight for `check`, which leaves everything as it was: needed where `open` makes or changes something.
   * @default `open`, and then `close("stopped")`
   */
  readonly preflight?: ((context: SinkContext) => Promise<Omit<SinkSession, "write">>) | undefined;
}

/** How the rows of a target are told apart where a row of the source may have several. */
export interface SinkGroups {
  /** The columns that all rows of one row of the source share. */
  readonly groupKey: readonly string[];
  /** The columns by which a row is found: those of `groupKey`, and more. */
  readonly mergeKeys: readonly string[];
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
   * The text that tells the row from all others in the target: of two rows with equal keys the later one replaces the other. Asked once the
   * row is written, when a sink may know better than before.
   * @default its primary key, also where this gives undefined
   */
  readonly keyOf?: (values: ColumnValues) => string | undefined;
  /** True if the target has no row at all: asked where earlier runs wrote to it. A sink that keeps rows has it. */
  readonly isEmpty?: () => Promise<boolean>;
  /** True if the target has a row with the key in these values (without keys, any): asked of some unchanged rows. */
  readonly holds?: (values: ColumnValues) => Promise<boolean>;
  /**
   * The last guard before the write, for one row: what the target could not hold. A row that did not change is not written: it comes with
   * the key that `keyOf` gave it once it was.
   */
  readonly check?: (values: ColumnValues, unchangedKey?: string) => readonly Violation[];
  /**
   * Writes a batch, one group for each row of the source: all or nothing, and idempotent by key. One batch at a time. Throws
   * `SinkDataError` where the data is to blame: the engine then halves the batch until the bad groups stand alone.
   */
  readonly write: (batch: readonly RowGroup[]) => Promise<void>;
  /** A second call does nothing. `rows` says how many rows the run had read. */
  readonly close: (outcome: "completed" | "stopped", rows?: { readonly readCount: number }) => Promise<void>;
  /** Asked after `close`: the rows that were left aside. @default none */
  readonly rowsAside?: () => RowsAside | undefined;
}
