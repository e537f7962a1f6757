import type { RunEvent } from "../../contracts/events.ts";
import { formatCount } from "../format.ts";
import type { RunCost, RunFigures } from "../../contracts/report.ts";
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
  /** The time left at that rate, in milliseconds; undefined without a total, and before it is a rate of 20 rows. */
  readonly remainingMs: number | undefined;
  /** The cost of the whole run if the remaining rows cost as much as the last ones; undefined when `remainingMs` is. */
  readonly projectedCost: RunCost | undefined;
  readonly callsInFlight: number;
  /** The most calls that may be in flight at the moment. */
  readonly callLimit: number;
  /** The reason why the run waits, in words; undefined if it does not wait. */
  readonly waitsFor: string | undefined;
}

interface Gate {
  readonly reason: "rate_limit" | "outage" | "quota" | "capacity";
  readonly provider: string;
  readonly untilMs: number;
}

interface Sample {
  readonly atMs: number;
  readonly doneCount: number;
  /** An estimate of the rows that are paid for: the rows read, and half of those in flight. */
  readonly paidCount: number;
  readonly cost: number;
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
    this.#samples = [{ atMs: this.#startedMs, doneCount: 0, paidCount: 0, cost: 0 }];
  }

  add(event: RunEvent): void {
    if (event.type === "run-start") {
      this.#tally = new Tally(event.currency);
      this.#concurrency = event.concurrency;
    }
    this.#tally.add(event);
    if (event.type === "source-count") this.#totalCount = event.rowCount;
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
    const cost = figures.cost?.amount ?? 0;
    const paidCount = figures.readCount - Math.min(this.#concurrency, figures.readCount - doneCount) / 2;
    const oldest = this.#sample({ atMs: nowMs, doneCount, paidCount, cost });
    const rowsSince = doneCount - oldest.doneCount;
    const isRate = rowsSince >= windowRows;
    const rowsPerSecond = nowMs > oldest.atMs ? (rowsSince / (nowMs - oldest.atMs)) * 1000 : 0;
    const costPerRow = (cost - oldest.cost) / Math.max(1, paidCount - oldest.paidCount);
    const totalCount = this.#totalCount;
    /** The time or cost of the rows after the first `count`, at `perRow` each. */
    const restOf = (count: number, perRow: number): number | undefined =>
      totalCount === undefined ? undefined : Math.max(0, totalCount - count) * perRow;
    return {
      figures,
      doneCount,
      totalCount,
      rowsPerSecond,
      remainingMs: isRate ? restOf(doneCount, 1000 / rowsPerSecond) : undefined,
      projectedCost: rowsSince > 0 ? addTo(figures.cost, restOf(paidCount, costPerRow)) : undefined,
      callsInFlight: this.#callsInFlight,
      callLimit: this.#callLimit(),
      waitsFor: this.#waitsFor(nowMs),
    };
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

function addTo(cost: RunCost | null, amount: number | undefined): RunCost | undefined {
  return cost === null || amount === undefined ? undefined : { ...cost, amount: cost.amount + amount };
}

function describeGate({ reason, provider }: Gate, leftMs: number): string {
  const seconds = `${Math.ceil(leftMs / 1000)} s`;
  if (reason === "rate_limit") return `429: gate of ${provider} closed for ${seconds}`;
  if (reason === "outage") return `outage: next probe of ${provider} in ${seconds}`;
  if (reason === "capacity") return `no room in the service tier: next probe of ${provider} in ${seconds}`;
  return `quota: next call to ${provider} in ${seconds}`;
}
