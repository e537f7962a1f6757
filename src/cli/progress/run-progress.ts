import type { RunEvent } from "../../contracts/events.ts";
import { formatCount } from "../format.ts";
import type { RunCost, RunFigures } from "../../contracts/report.ts";
import { Tally } from "../../pipeline/tally.ts";

/** How far a run is. */
export interface Snapshot {
  readonly figures: RunFigures;
  /** Rows that have ended. */
  readonly doneCount: number;
  /** Rows that there are to do; undefined where the source has not told. */
  readonly totalCount: number | undefined;
  /** Over the last half minute. */
  readonly rowsPerSecond: number;
  /** At that rate; undefined without a total, or while no row ends. */
  readonly remainingMs: number | undefined;
  /** What the run will have cost if the remaining rows cost what the last ones did; undefined as `remainingMs` is. */
  readonly projectedCost: RunCost | undefined;
  readonly callsInFlight: number;
  /** How many calls may be in flight at the moment. */
  readonly callLimit: number;
  /** Why it waits, in words; undefined where it does not. */
  readonly waitsFor: string | undefined;
}

interface Gate {
  readonly reason: "rate_limit" | "outage" | "quota";
  readonly provider: string;
  readonly untilMs: number;
}

interface Sample {
  readonly atMs: number;
  readonly doneCount: number;
  /** Rows that were paid for: those that were read, and of the ones in flight the half. */
  readonly paidCount: number;
  readonly cost: number;
}

/** Rates are taken over so long: batches end together, so that a short while says little. */
const windowMs = 30_000;
const sampleEveryMs = 500;

/** A batch or a row that takes longer than this is worth a word. */
const waitWorthTellingMs = 2000;

/** Adds up a run's events to how far it is. */
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

  /** `now` gives milliseconds, from any beginning. */
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
    const rowsPerSecond = nowMs > oldest.atMs ? (rowsSince / (nowMs - oldest.atMs)) * 1000 : 0;
    const costPerRow = (cost - oldest.cost) / Math.max(1, paidCount - oldest.paidCount);
    const totalCount = this.#totalCount;
    /** What the rows after the first so many take, at so much a row. */
    const restOf = (count: number, perRow: number): number | undefined =>
      totalCount === undefined ? undefined : Math.max(0, totalCount - count) * perRow;
    return {
      figures,
      doneCount,
      totalCount,
      rowsPerSecond,
      remainingMs: rowsSince > 0 ? restOf(doneCount, 1000 / rowsPerSecond) : undefined,
      projectedCost: rowsSince > 0 ? addTo(figures.cost, restOf(paidCount, costPerRow)) : undefined,
      callsInFlight: this.#callsInFlight,
      callLimit: this.#callLimit(),
      waitsFor: this.#waitsFor(nowMs),
    };
  }

  /** Keeps the sample, forgets those that are too old, and gives the oldest that is left. */
  #sample(sample: Sample): Sample {
    const last = this.#samples.at(-1);
    if (last === undefined || sample.atMs - last.atMs >= sampleEveryMs) this.#samples.push(sample);
    for (
      let [, next] = this.#samples;
      next !== undefined && sample.atMs - next.atMs > windowMs;
      [, next] = this.#samples
    )
      this.#samples.shift();
    return this.#samples[0] ?? sample;
  }

  /** The sum of the providers' limits; a row is at one provider at a time, so that more are never in flight than rows. */
  #callLimit(): number {
    const limits = [...this.#limits.values()];
    const sum = limits.reduce((total, limit) => total + limit, 0);
    return limits.length === 0 ? this.#concurrency : Math.min(this.#concurrency, sum);
  }

  #waitsFor(nowMs: number): string | undefined {
    const gate = [...this.#gates.values()].find(({ untilMs }) => untilMs > nowMs);
    if (gate !== undefined) return describeGate(gate, gate.untilMs - nowMs);
    if (this.#writing !== undefined && nowMs - this.#writing.sinceMs > waitWorthTellingMs)
      return `for the sink, which writes ${formatCount(this.#writing.rowCount)} rows`;
    if (this.#rowsInFlight > 0 || nowMs - this.#idleSinceMs <= waitWorthTellingMs) return undefined;
    // Which of them it is, no event tells; both are done by the first row.
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
  return `quota: next call to ${provider} in ${seconds}`;
}
