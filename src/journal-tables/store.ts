import type { ChangeGroup } from "./changes.ts";
import type { Line, Table } from "./tables.ts";

/** A condition on lines. `has`: the text holds this one; `begins`: it begins so. */
export type Term = readonly [column: string, operator: "=" | ">=" | "<=" | "begins" | "has", value: string | number];

export interface PageQuery {
  readonly where: readonly Term[];
  readonly order: "rising" | "falling";
  /** Lines beyond this value. @default the first */
  readonly from?: string | number | undefined;
  /** Lines at most. */
  readonly limit: number;
  /** The unique column of the order. @default "number" */
  readonly by?: string | undefined;
  /** @default all */
  readonly columns?: readonly string[] | undefined;
}

/** The sum of a column of whole numbers over some lines. */
export interface SumQuery {
  readonly table: Table;
  readonly column: string;
  readonly where: readonly Term[];
}

/** Questions to the tables of a journal. Whole numbers and bytes are given back as text, too. */
export interface Looks {
  /** The lines that have one of the keys, in any order. */
  readonly find: (table: Table, by: readonly string[], keys: readonly Line[]) => Promise<readonly Line[]>;
  readonly page: (table: Table, query: PageQuery) => Promise<readonly Line[]>;
  readonly count: (table: Table, where: readonly Term[]) => Promise<number>;
  /** The number of lines, `n`, with each combination of these columns. */
  readonly counts: (table: Table, columns: readonly string[]) => Promise<readonly Line[]>;
  /** The pipelines whose lock is held by some run, as lines of their table. */
  readonly held: () => Promise<readonly Line[]>;
}

/** Work does this within its transaction. */
export interface Transaction extends Pick<Looks, "find"> {
  /** The database's clock. */
  readonly now: Date;
  /** The sums, in the order of the queries. */
  readonly sums: (queries: readonly SumQuery[]) => Promise<readonly bigint[]>;
  readonly apply: (group: ChangeGroup) => Promise<void>;
}

export interface SaveGuard {
  /** Counts the saves of the session. */
  readonly number: number;
  /** True where other sessions of the run must not save at the same time. */
  readonly isAlone: boolean;
}

/** The tables, held for a run. */
export interface Store extends Looks {
  /** Names the session among those of its run. */
  readonly session: string;
  /** Makes changes in one transaction, in which the run is known to hold the pipeline; none where a save with the number is stored already. */
  readonly save: (number: number, changes: readonly ChangeGroup[]) => Promise<void>;
  /** Does `work` in such a transaction; without it where a save with the number is stored already. */
  readonly transact: (guard: SaveGuard, work: (transaction: Transaction) => Promise<void>) => Promise<void>;
  readonly close: () => Promise<void>;
}
