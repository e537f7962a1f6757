import type { RowConversation } from "../contracts/conversation.ts";
import type { DeadLetterSession } from "../contracts/dead-letter.ts";
import type { EventHandler } from "../contracts/events.ts";
import type { JournalSession } from "../contracts/journal.ts";
import type { Destination, SinkSession } from "../contracts/sink.ts";
import type { AnySource, Parameters, SourceRow } from "../contracts/source.ts";
import type { ResolvedStep } from "../contracts/step.ts";
import type { Ending } from "./ending.ts";
import type { LookAhead } from "./look-ahead.ts";
import type { FirstFailuresOptions } from "./first-failures.ts";
import type { RowEndHandler } from "./rows-in-flight.ts";
import type { SparePlaces } from "./spare-places.ts";

/** The parts of a run, put together, and its settings. */
export interface EngineOptions {
  readonly runId: string;
  readonly source: Pick<AnySource, "name" | "primaryKeyColumn" | "schema" | "namesAreData" | "read">;
  readonly steps: readonly ResolvedStep[];
  /** At least one, in the order in which a row comes to them. */
  readonly destinations: readonly Destination[];
  readonly conversation: (step: ResolvedStep, pk: string, signal: AbortSignal) => RowConversation;
  /** Undefined where it is off. */
  readonly journal: JournalSession | undefined;
  /** Knows what was looked up while the source was read. @default nothing is looked up ahead */
  readonly lookAhead?: Pick<LookAhead, "row" | "used"> | undefined;
  /** True to write rows again that did not change. */
  readonly fresh: boolean;
  readonly onRowError: "fail" | "skip" | "dead_letter";
  /** Undefined unless `onRowError` is `dead_letter`. */
  readonly deadLetter: DeadLetterSession | undefined;
  readonly concurrency: number;
  readonly sparePlaces: SparePlaces;
  readonly batchSize: number;
  readonly flushIntervalMs: number;
  readonly gracePeriodMs: number;
  /** When it has to have ended once a signal has stopped it. */
  readonly ending: Ending;
  /** The time limits of the sink's `open` and `close`. */
  readonly openTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly limit: number;
  readonly replace: boolean;
  readonly parameters: Parameters;
  /** Aborting it stops the run; a reason that is an LLMEtlError is what the run reports. */
  readonly signal: AbortSignal;
  /** Aborting it stops the run without a grace period. */
  readonly stopNowSignal: AbortSignal | undefined;
  readonly emit: EventHandler;
  /** @default nobody wants to know */
  readonly onRowEnd?: RowEndHandler | undefined;
  /** Called with the sessions of the sinks once they are open, before the first row is read. */
  readonly onOpened?: ((sessions: readonly SinkSession[]) => void) | undefined;
  /** Called with the sessions of the sinks once they are closed. */
  readonly onClosed?: ((sessions: readonly SinkSession[]) => void) | undefined;
  /** Facts by which a run stops of which the first rows all fail; undefined where it goes on. */
  readonly firstFailures: Pick<FirstFailuresOptions, "wasAsked" | "hasFailedBefore"> | undefined;
  /**
   * Called with the first row, before it is accepted, and with the sessions of the sinks; with the next ones, too, until it resolves to true. What
   * it throws ends the run.
   */
  readonly beforeFirstRow?: ((row: SourceRow, sessions: readonly SinkSession[]) => Promise<boolean>) | undefined;
  /** Undefined while those who see events keep up; else a promise of it. */
  readonly caughtUp?: (() => Promise<void> | undefined) | undefined;
}
