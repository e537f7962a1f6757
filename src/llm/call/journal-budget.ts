import { randomUUID } from "node:crypto";
import type {
  JournalSpending,
  LimitsAt,
  LimitState,
  OpenReservation,
  Reservation,
  Reserved,
  SpendingLimit,
} from "../../contracts/journal-spending.ts";
import { RunError } from "../../errors/llm-etl-error.ts";
import { amountOf, billionthsOf } from "../../spending/amount.ts";
import type { Settle } from "./budget.ts";
import { Fingerprints } from "./fingerprint.ts";
import type { RowCall } from "./row-call.ts";

export interface JournalBudgetOptions {
  readonly spending: Pick<JournalSpending, "reserve" | "settle">;
  readonly limitsAt: LimitsAt;
  /** Reservations of runs that were killed: nobody will settle them. @default none */
  readonly standing?: readonly OpenReservation[] | undefined;
  readonly pipeline: string;
  readonly runId: string;
  readonly currency: string;
  /** The longest wait, in milliseconds, for money that other processes have reserved. @default 60,000 */
  readonly othersMs?: number | undefined;
  /** The time after which it is looked at again, in milliseconds. @default 1,000 */
  readonly lookMs?: number | undefined;
}

interface Waiting {
  readonly reservation: Reservation;
  readonly go: (settle: Settle) => void;
  readonly stop: (error: unknown) => void;
  /** True once nobody waits for it any more. */
  isGone: boolean;
}

/** Reserved at once, at most. */
const mostAtOnce = 500;

/**
 * Lets a call go only once the most that it can cost is reserved in the journal. Reservations go there together, in their order: those of one turn
 * of the event loop, and all that come while others are on their way. A call that does not fit waits for this run's calls in flight, and for a while
 * for those of other processes; the run stops before one that would not fit without them either.
 */
export class JournalBudget {
  readonly #options: JournalBudgetOptions;
  readonly #fingerprints = new Fingerprints();
  #waiting: readonly Waiting[] = [];
  /** This run's reservations that are not settled in the journal yet. */
  readonly #open = new Map<string, OpenReservation>();
  #settledCount = 0;
  #isReserving = false;
  /** Since when no call went for the money that others have reserved, by `performance.now`. */
  #othersSinceMs: number | undefined;
  /** The first settlement that could not be stored: its reservation stays, and no call goes any more. */
  #failure: unknown;
  #news = Promise.withResolvers<void>();

  constructor(options: JournalBudgetOptions) {
    this.#options = options;
  }

  /**
   * Reserves the most that a call can cost. The settlement is stored no later than what is saved after it.
   *
   * @throws {RunError} if it does not fit, whatever the others cost
   * @throws {JournalError} if the journal can't store it
   * @throws the signal's reason
   */
  async reserve(worstCase: number, { provider, request, signal }: RowCall): Promise<Settle> {
    const { pipeline, runId, currency } = this.#options;
    signal.throwIfAborted();
    if (worstCase === 0) return () => {};
    const [fingerprint] = this.#fingerprints.keysOf(provider, request);
    const amount = billionthsOf(worstCase);
    const reservation = { id: randomUUID(), pipeline, runId, currency, amount, fingerprint };
    const { promise, resolve: go, reject: stop } = Promise.withResolvers<Settle>();
    const waiting: Waiting = { reservation, go, stop, isGone: false };
    const onAbort = (): void => {
      this.#leave(waiting);
      stop(signal.reason);
      this.#tell();
    };
    signal.addEventListener("abort", onAbort);
    this.#waiting = [...this.#waiting, waiting];
    if (!this.#isReserving) void this.#reserveAll();
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  async #reserveAll(): Promise<void> {
    this.#isReserving = true;
    while (this.#waiting.length > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      const asked = this.#waiting.slice(0, mostAtOnce);
      if (asked.length === 0) continue;
      try {
        if (this.#failure !== undefined) throw this.#failure;
        await this.#reserveSome(asked);
      } catch (error) {
        for (const waiting of asked) this.#end(waiting, error);
      }
    }
    this.#isReserving = false;
  }

  async #reserveSome(asked: readonly Waiting[]): Promise<void> {
    const { spending, limitsAt } = this.#options;
    const settledCount = this.#settledCount;
    const { promise: news } = this.#news;
    const wanted = asked.map(({ reservation }) => reservation);
    const reserved = await spending.reserve(wanted, limitsAt);
    for (const waiting of asked.slice(0, reserved.count)) this.#take(waiting, reserved.reservedAt);
    if (reserved.count > 0) this.#othersSinceMs = undefined;
    const first = asked[reserved.count];
    if (first === undefined || first.isGone) return;
    if (settledCount === this.#settledCount) await this.#waitFor(first, reserved, news);
  }

  #take(waiting: Waiting, reservedAt: Date): void {
    const { reservation } = waiting;
    this.#open.set(reservation.id, { ...reservation, reservedAt });
    let isSettled = false;
    const settle: Settle = (cost) => {
      if (isSettled) return;
      isSettled = true;
      void this.#settle(reservation.id, cost);
    };
    if (waiting.isGone) settle(0);
    this.#leave(waiting);
    waiting.go(settle);
  }

  async #settle(id: string, cost: number): Promise<void> {
    try {
      await this.#options.spending.settle([{ id, amount: billionthsOf(cost) }]);
    } catch (error) {
      this.#failure ??= error;
    }
    this.#open.delete(id);
    this.#settledCount += 1;
    this.#tell();
  }

  /** Waits until the first that did not fit may fit; stops it where it can't. */
  async #waitFor(first: Waiting, reserved: Reserved, news: Promise<void>): Promise<void> {
    const { othersMs = 60_000, lookMs = 1_000, standing = [] } = this.#options;
    const { amount, currency } = first.reservation;
    const own = [...this.#open.values()];
    const stands = standing.filter((each) => each.currency === currency);
    const spent = reserved.limits.findLast(
      ({ limit, settled }) => settled + sumIn(limit, stands) + amount > limit.most,
    );
    const ofOthers = reserved.limits.findLast(
      ({ limit, settled, reserved: all }) => settled + all - sumIn(limit, own) + amount > limit.most,
    );
    if (spent !== undefined) return this.#end(first, this.#limitReached(first.reservation, spent));
    if (ofOthers === undefined && this.#open.size > 0) return await news;
    this.#othersSinceMs ??= performance.now();
    const isLongEnough = performance.now() - this.#othersSinceMs >= othersMs;
    const inTheWay = ofOthers ?? reserved.limits.at(-1);
    if (isLongEnough && inTheWay !== undefined) {
      return this.#end(first, this.#limitReached(first.reservation, inTheWay));
    }
    const timer = Promise.withResolvers<void>();
    const timeout = setTimeout(timer.resolve, lookMs);
    await Promise.race([timer.promise, news]);
    clearTimeout(timeout);
  }

  #end(waiting: Waiting, error: unknown): void {
    this.#leave(waiting);
    waiting.stop(error);
  }

  #leave(waiting: Waiting): void {
    waiting.isGone = true;
    this.#waiting = this.#waiting.filter((one) => one !== waiting);
  }

  /** Wakes whoever waits for a change. */
  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  #limitReached(
    { amount, currency }: Reservation,
    { limit: { name, until, most }, settled, reserved }: LimitState,
  ): RunError {
    const facts = {
      period: name,
      limit: amountOf(most),
      currency,
      spent: amountOf(settled),
      reserved: amountOf(reserved),
      worstCase: amountOf(amount),
      nextPeriodAt: until.toISOString(),
    };
    const { limit, spent, worstCase, nextPeriodAt } = facts;
    const step = amount > most ? "raise it: not even one call fits" : `run again from ${nextPeriodAt} on, or raise it`;
    const words = `budget.${name} (${limit} ${currency}): ${spent} is spent, ${facts.reserved} is reserved, and the next call may cost ${worstCase}`;
    return new RunError("LIMIT_REACHED", `the run has reached ${words}; ${step}`, { facts });
  }
}

/** The part of reservations that counts for a limit. */
function sumIn({ from, until }: SpendingLimit, reservations: readonly OpenReservation[]): bigint {
  let sum = 0n;
  for (const { amount, reservedAt } of reservations) if (reservedAt >= from && reservedAt < until) sum += amount;
  return sum;
}
