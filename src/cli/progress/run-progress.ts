import type { EarlierRun, RunEvent } from "../../contracts/events.ts";
import { formatCount } from "../format.ts";
import type { RunCost, RunFigures } from "../../contracts/report.ts";
import { roundAmount } from "../../llm/pricing.ts";
import { type RestOfRun, RestProjection } from "../../pipeline/rest-of-run.ts";
import { Tally } from "../../pipeline/tally.ts";

/** The progress of a run at one moment. */
export interface Snapshot {
  readonly figures: RunFigures;
  /** Rows that have ended. */
  readonly doneCount: number;
  /** All rows of the run; undefined if the source has not counted them. */
  readonly totalCount: number | undefined;
  /** The rate of the last half minute, or of the last 20 rows if these took longer. */
  readonly rowsPerSecond: number;
  /**
   * The time left, in milliseconds, at the rate of rows for which a model was asked; undefined without a total, and before it is a rate of 20 rows.
   */
  readonly remainingMs: number | undefined;
  /** The cost of the whole run, with a 95 % interval; undefined without a total, without prices, and while no row tells what others cost. */
  readonly projectedCost: ProjectedCost | undefined;
  readonly callsInFlight: number;
  /** The most calls that may be in flight at the moment. */
  readonly callLimit: number;
  /** The reason why the run waits, in words; undefined if it does not wait. */
  readonly waitsFor: string | undefined;
}

/** An amount, and the ends of its interval. */
export interface ProjectedCost extends RunCost {
  readonly low: number;
  readonly high: number;
}

interface Gate {
  readonly reason: "rate_limit" | "outage" | "quota" | "capacity";
  readonly provider: string;
  readonly untilMs: number;
}

/** The rows since the oldest sample. */
interface Window {
  readonly elapsedMs: number;
  readonly rowsSince: number;
  readonly paidSince: number;
}

interface Sample {
  readonly atMs: number;
  readonly doneCount: number;
  /** Those of them for which a model was asked. */
  readonly paidCount: number;
}

/** Rates are measured over this time and so many rows at least: rows of a batch end together, so few of them say little. */
const windowMs = 30_000;
const windowRows = 20;
const sampleEveryMs = 500;

/** A wait for a batch or a row is shown after this time. */
const shownWaitMs = 2000;

/** Adds up the events of a run to its progress. */
export class RunProgress {
  readonly #now: () => number;
  readonly #startedMs: number;
  readonly #limits = new Map<string, number>();
  readonly #gates = new Map<string, Gate>();
  readonly #samples: Sample[];
  #tally = new Tally(null);
  #projection = new RestProjection();
  #earlier: EarlierRun | undefined;
  #concurrency = 0;
  #totalCount: number | undefined;
  #callsInFlight = 0;
  #rowsInFlight = 0;
  #writing: { readonly rowCount: number; readonly sinceMs: number } | undefined;
  #idleSinceMs: number;

  /** `now` returns milliseconds since any moment. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#startedMs = now();
    this.#idleSinceMs = this.#startedMs;
    this.#samples = [{ atMs: this.#startedMs, doneCount: 0, paidCount: 0 }];
  }

  add(event: RunEvent): void {
    if (event.type === "run-start") {
      this.#tally = new Tally(event.currency);
      this.#concurrency = event.concurrency;
    }
    this.#tally.add(event);
    this.#projection.add(event);
    if (event.type === "source-count") {
      this.#totalCount = event.rowCount;
      this.#earlier = event.earlier ?? undefined;
    }
    if (event.type === "row-start") this.#rowsInFlight += 1;
    if (event.type === "row-end") this.#rowsInFlight -= 1;
    if (event.type === "row-end" && this.#rowsInFlight === 0) this.#idleSinceMs = this.#now();
    if (event.type === "call-start") this.#callsInFlight += 1;
    if (event.type === "call-end") this.#callsInFlight -= 1;
    if (event.type === "concurrency-change") this.#limits.set(event.provider, event.limit);
    if (event.type === "batch-start") this.#writing = { rowCount: event.rowCount, sinceMs: this.#now() };
    if (event.type === "batch-end") this.#writing = undefined;
    if (event.type === "gate-close") {
      const { reason, provider, durationMs } = event;
      this.#gates.set(provider, { reason, provider, untilMs: this.#now() + durationMs });
    }
  }

  snapshot(): Snapshot {
    const nowMs = this.#now();
    const figures = this.#tally.figures(nowMs - this.#startedMs);
    const doneCount = figures.successCount + figures.failureCount + figures.skippedCount;
    const { rest, paidCount } = this.#projection;
    const oldest = this.#sample({ atMs: nowMs, doneCount, paidCount });
    const elapsedMs = nowMs - oldest.atMs;
    const rowsSince = doneCount - oldest.doneCount;
    const rowsPerSecond = elapsedMs > 0 ? (rowsSince / elapsedMs) * 1000 : 0;
    return {
      figures,
      doneCount,
      totalCount: this.#totalCount,
      rowsPerSecond,
      remainingMs: this.#remainingMs(rest, { elapsedMs, rowsSince, paidSince: paidCount - oldest.paidCount }),
      projectedCost: this.#projectedCost(rest, figures.cost),
      callsInFlight: this.#callsInFlight,
      callLimit: this.#callLimit(),
      waitsFor: this.#waitsFor(nowMs),
    };
  }

  /** Rows whose answers are in the journal take next to no time: it goes by the others, where some are left. */
  #remainingMs(rest: RestOfRun | undefined, { elapsedMs, rowsSince, paidSince }: Window): number | undefined {
    if (rest === undefined) return undefined;
    if (paidSince >= windowRows) return (rest.paidRows * elapsedMs) / paidSince;
    const rowMs = this.#earlier?.rowMs ?? null;
    if (rest.paidRows > 0 && paidSince === 0 && rowMs !== null) return rest.paidRows * rowMs;
    return rowsSince >= windowRows ? (rest.rows * elapsedMs) / rowsSince : undefined;
  }

  #projectedCost(rest: RestOfRun | undefined, spent: RunCost | null): ProjectedCost | undefined {
    if (spent === null || rest?.cost === undefined) return undefined;
    const { endedCost } = this.#projection;
    const { estimate, low, high } = rest.cost;
    const inAll = (amount: number): number => Math.max(spent.amount, roundAmount(endedCost + amount));
    return { currency: spent.currency, amount: inAll(estimate), low: inAll(low), high: inAll(high) };
  }

  /** Adds a sample, drops those that are too old, and returns the oldest that is left. */
  #sample(sample: Sample): Sample {
    const last = this.#samples.at(-1);
    if (last === undefined || sample.atMs - last.atMs >= sampleEveryMs) this.#samples.push(sample);
    for (
      let [, next] = this.#samples;
      next !== undefined && sample.atMs - next.atMs > windowMs && sample.doneCount - next.doneCount >= windowRows;
      [, next] = this.#samples
    )
      this.#samples.shift();
    return this.#samples[0] ?? sample;
  }

  /** The sum of the providers' limits, at most the concurrency: a row has at most one call in flight. */
  #callLimit(): number {
    const limits = [...this.#limits.values()];
    const sum = limits.reduce((total, limit) => total + limit, 0);
    return limits.length === 0 ? this.#concurrency : Math.min(this.#concurrency, sum);
  }

  #waitsFor(nowMs: number): string | undefined {
    const gate = [...this.#gates.values()].find(({ untilMs }) => untilMs > nowMs);
    if (gate !== undefined) return describeGate(gate, gate.untilMs - nowMs);
    if (this.#writing !== undefined && nowMs - this.#writing.sinceMs > shownWaitMs)
      return `for the sink, which writes ${formatCount(this.#writing.rowCount)} rows`;
    if (this.#rowsInFlight > 0 || nowMs - this.#idleSinceMs <= shownWaitMs) return undefined;
    // No event says which of the two it is; the first row ends both.
    return this.#tally.readCount === 0 ? "for the sink to open and the first row to come" : "for the source's next row";
  }
}

function describeGate({ reason, provider }: Gate, leftMs: number): string {
  const seconds = `${Math.ceil(leftMs / 1000)} s`;
  if (reason === "rate_limit") return `429: gate of ${provider} closed for ${seconds}`;
  if (reason === "outage") return `outage: next probe of ${provider} in ${seconds}`;
  if (reason === "capacity") return `no room in the service tier: next probe of ${provider} in ${seconds}`;
  return `quota: next call to ${provider} in ${seconds}`;
}
