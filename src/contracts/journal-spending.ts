import type { Page, PageRequest } from "./page.ts";

/**
 * Money that runs with a `budget` spend, over all pipelines that use the journal. Amounts are whole billionths of a unit of their currency (10^-9 USD):
 * their sums are exact. Each currency is counted apart. Times are the journal's: of its database, or of this machine where it is a file.
 */
export interface JournalSpending {
  /**
   * Reserves one amount or more, all in one currency and in their order, up to the first one that does not fit: what is settled, what is reserved and it
   * would be more than a limit. Whatever else reserves at the same time, from whatever process, the limits hold. Called for many at once.
   */
  readonly reserve: (wanted: readonly Reservation[], limitsAt: LimitsAt) => Promise<Reserved>;
  /** Ends reservations with what the calls cost, each booked for the time at which it was reserved. One that is not open any more is left out. */
  readonly settle: (settlements: readonly Settlement[]) => Promise<void>;
  /** The reservations of a pipeline that are not settled: of this run, and of runs that were killed. */
  readonly reservations: SpendingLook["reservations"];
}

export interface SpendingLook {
  /** The money that was settled, from a time on, by quarter of an hour and pipeline. */
  readonly list: (request: { readonly since?: Date | undefined } & PageRequest) => Promise<Page<SpentSlice>>;
  /** The reservations that are not settled, made at a time or later. */
  readonly reservations: (
    request: { readonly pipeline?: string | undefined; readonly since?: Date | undefined } & PageRequest,
  ) => Promise<Page<OpenReservation>>;
}

/** The most that a call may cost, reserved before it goes. */
export interface Reservation {
  /** Unlike that of any other. */
  readonly id: string;
  readonly pipeline: string;
  readonly runId: string;
  readonly currency: string;
  /** In billionths. */
  readonly amount: bigint;
  /** Of the request, for whoever wants to know what a reservation that stands was for. */
  readonly fingerprint: string;
}

export interface OpenReservation extends Reservation {
  readonly reservedAt: Date;
}

/** A span of time, and the most that may be spent in it. It begins and ends on a quarter of an hour. */
export interface SpendingLimit {
  /** Tells it from the others. */
  readonly name: string;
  readonly from: Date;
  /** The end, which is not part of it. */
  readonly until: Date;
  /** In billionths. */
  readonly most: bigint;
}

/** The limits that hold at a time. May be called several times. */
export type LimitsAt = (now: Date) => readonly SpendingLimit[];

/** A limit, and what counts for it; in billionths. */
export interface LimitState {
  readonly limit: SpendingLimit;
  readonly settled: bigint;
  readonly reserved: bigint;
}

export interface Reserved {
  readonly reservedAt: Date;
  /** So many were reserved: those from the first on. */
  readonly count: number;
  /** The limits as they are with them, in their order. */
  readonly limits: readonly LimitState[];
}

export interface Settlement {
  /** Of the reservation. */
  readonly id: string;
  /** In billionths. */
  readonly amount: bigint;
}

/** The money that a pipeline spent in a quarter of an hour. */
export interface SpentSlice {
  readonly pipeline: string;
  readonly currency: string;
  readonly startsAt: Date;
  /** In billionths. */
  readonly settled: bigint;
}
