import type { LLMEtlError } from "../errors/llm-etl-error.ts";
import type { Requirements } from "./requirements.ts";
import type { RunFacts } from "./journal.ts";

/** A row that failed, with all that is known of it. */
export interface FailedRow {
  /** The number of the row in its source. */
  readonly position: number;
  /** null where the key itself is what is wrong. */
  readonly pk: string | null;
  /** null where the row failed before its first step or at the sink. */
  readonly step: string | null;
  readonly error: LLMEtlError;
  /** The row as the source gave it. */
  readonly raw: unknown;
  /** Per output key what the steps had added, null where they had not. */
  readonly partialState: Readonly<Record<string, unknown>>;
  /** Calls that the failing step made for this row after its first. */
  readonly retryCount: number;
  /** The identity of the sink at which it failed, where the pipeline has several. @default it failed before, or there is one */
  readonly sink?: string | undefined;
}

/** A place where failed rows are kept. A plug-in: `new Pipeline({ deadLetter: new DeadLetterFile({ path }) })`. */
export interface DeadLetter {
  /** Names the kind. */
  readonly name: string;
  /** Names the place for people and events: the absolute path of a file. Holds no secret. */
  readonly identity: string;
  /** Needs that `check` looks at. */
  readonly requirements?: Requirements | undefined;
  /** The files that it keeps, as absolute paths: no other file of a run may be one of them. */
  readonly files?: readonly string[] | undefined;
  /**
   * Makes sure, for `check`, that a run could open it, and leaves everything as it was. Resolves to false where there is none
   * yet. @default nothing is looked at
   */
  readonly preflight?: ((signal: AbortSignal) => Promise<boolean>) | undefined;
  /** @throws {DeadLetterError} if no row can be kept there */
  readonly open: (run: Pick<RunFacts, "runId" | "pipeline">, signal: AbortSignal) => Promise<DeadLetterSession>;
  /**
   * Opens it to take its rows through a pipeline once more, before the replay's own failures are added to it.
   *
   * @throws {RunError} if it can't be read
   * @throws {DeadLetterError} if rows can't be removed from it
   */
  readonly replay: (pipeline: string) => Promise<DeadLetterReplay>;
}

export interface DeadLetterSession {
  /** Resolves when the row is safe. Rejects with a `DeadLetterError`: the run then stops. */
  readonly add: (row: FailedRow) => Promise<void>;
  /** The primary keys of the pipeline's rows that were there when it was opened. @default none is known */
  readonly failedBefore?: ReadonlySet<string> | undefined;
  /**
   * Removes outdated failures, at the end of a run: of these rows, by primary key, those up to the given time, in milliseconds
   * since 1970, and all but the last of each row. Failures of other pipelines stay.
   *
   * @throws {DeadLetterError} if that can't be done: everything is then as it was
   */
  readonly remove?: ((leaving: ReadonlyMap<string, number>) => Promise<void>) | undefined;
  readonly close: () => Promise<void>;
}

/** The last failure of a row, without content. */
export interface DeadRow {
  /** The number of its line, or the like: no two rows have the same. */
  readonly number: number;
  readonly pk: string;
  readonly errorCode: string;
  /** In milliseconds since 1970. */
  readonly failedAtMs: number;
  /** The reason why the row can't be had back; null where it can. */
  readonly problem: string | null;
}

/** The content of the dead letters once rows have left. */
export interface DeadLetterRest {
  /** The failures that are left, those of other pipelines and those that can't be replayed included. */
  readonly remainingCount: number;
  readonly notReplayable: readonly { readonly line: number; readonly reason: string }[];
  /** The place where the dead letters as they were are kept; null where nothing left, or nothing is kept. */
  readonly keptPath: string | null;
}

/** Failed rows of one pipeline, for one more try. */
export interface DeadLetterReplay {
  /** By row its last failure, in the order of those. Called once, and first. */
  readonly rows: () => AsyncIterable<DeadRow>;
  /** A row as the source gave it. */
  readonly raw: (row: DeadRow) => Promise<Readonly<Record<string, unknown>>>;
  /**
   * Removes rows, by primary key: the failures that were there when the replay began, and those before the given time, in
   * milliseconds since 1970.
   *
   * @throws {DeadLetterError} if that can't be done: everything is then as it was
   */
  readonly finish: (leaving: ReadonlyMap<string, number>) => Promise<void>;
  readonly rest: () => DeadLetterRest;
  readonly close: () => Promise<void>;
}
