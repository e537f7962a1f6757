import type { RunEvent } from "../contracts/events.ts";
import type { LLMProvider } from "../contracts/provider.ts";
import type { RowLayer } from "../llm/call/row-call.ts";
import type { CallPrices } from "../llm/price-book.ts";
import { added, type Amounts, amountsOf, largerOf, type PlannedCall, scaled } from "./call-amounts.ts";
import {
  type AskedRow,
  type Ended,
  laterUses,
  type OffBehind,
  offBehind,
  type Sharing,
  sharingOf,
} from "./later-uses.ts";
import type { OpenRequest } from "./open-requests.ts";

export interface AskedRowsOptions {
  /** The names of the steps, in their order. */
  readonly steps: readonly string[];
  readonly providers: readonly LLMProvider[];
  readonly tiers: readonly (string | undefined)[];
  readonly prices: Pick<CallPrices, "of">;
}

/** The calls about rows of the sample that failed: the journal has no answers of the steps at which they did, so that a run makes such calls again. */
export interface AskedAgain {
  /** Each of these rows is asked once at least. */
  readonly least: Amounts;
  /** As often as in the sample. */
  readonly likely: Amounts;
  /** As often as in the sample, and then they go on to the steps behind it. */
  readonly most: Amounts;
  /** The rows whose request failed in the sample, and which may be answered the next time. */
  readonly rows: number;
}

/** Rows of the sample on their way, and what their calls took. */
export class AskedRows {
  readonly #options: AskedRowsOptions;
  readonly #rows = new Map<string, AskedRow>();
  #spent: Amounts = {};
  #estimatedCalls = 0;
  #pricedCalls = 0;
  #unpricedCalls = 0;
  #endedCount = 0;
  /** Undefined after a change. */
  #ended: Ended | undefined;

  constructor(options: AskedRowsOptions, requests: readonly OpenRequest[]) {
    this.#options = options;
    for (const request of requests) {
      for (const { pk } of request.places)
        this.#rows.set(pk, { request, steps: new Map(), hasFailed: undefined, failedAt: undefined });
    }
  }

  /** All that was spent, of rows that have not ended too. */
  get spent(): Amounts {
    return this.#spent;
  }

  get estimatedCalls(): number {
    return this.#estimatedCalls;
  }

  /** True if the price of a call is known. */
  get isPriced(): boolean {
    return this.#pricedCalls > 0;
  }

  /** Calls with tokens of which no price is known. */
  get unpricedCalls(): number {
    return this.#unpricedCalls;
  }

  get endedCount(): number {
    return this.#endedCount;
  }

  readonly layer: RowLayer = (next) => async (call) => {
    const { pk, step, provider, request } = call;
    const row = this.#rows.get(pk);
    const place = call.row.fingerprints.length;
    if (row === undefined) return await next(call);
    const { maxReasoningTokens = 0 } = provider;
    const maxOutputTokens = request.maxOutputTokens + maxReasoningTokens * (request.lengthFactor ?? 1);
    const use = row.steps.get(step) ?? { provider, maxOutputTokens, requests: [], amounts: {} };
    row.steps.set(step, Object.assign(use, { provider, maxOutputTokens }));
    try {
      return await next(call);
    } finally {
      use.requests = [...use.requests, call.row.fingerprints[place] ?? `${step} of ${pk}`];
    }
  };

  readonly observe = (event: RunEvent): void => {
    if (event.type === "call-end" && event.wasSent !== false) {
      const { pk, step, model, kind, latencyMs, isEstimated } = event;
      const use = this.#rows.get(pk)?.steps.get(step);
      if (use === undefined) return;
      const prices = this.#options.prices.of(use.provider, model ?? undefined);
      if (isEstimated) this.#estimatedCalls += 1;
      this.add(pk, step, { ...use, usage: event, prices, isReAsk: kind === "re-ask", latencyMs });
    }
    if (event.type === "row-end" && event.pk !== null && event.outcome !== "pending") {
      const row = this.#rows.get(event.pk);
      if (row === undefined) return;
      row.hasFailed = event.outcome === "failed" || event.outcome === "skipped";
      row.failedAt = row.hasFailed ? (event.step ?? undefined) : undefined;
      this.#endedCount += 1;
      this.#ended = undefined;
    }
  };

  /** Adds a call of a row. */
  add(pk: string, step: string, call: PlannedCall): void {
    const use = this.#rows.get(pk)?.steps.get(step);
    if (use === undefined) return;
    const amounts = amountsOf(call, this.#options.providers, this.#options.tiers);
    if (call.prices !== undefined) this.#pricedCalls += 1;
    else if (call.usage.inputTokens > 0) this.#unpricedCalls += 1;
    use.amounts = added(use.amounts, amounts);
    this.#ended = undefined;
    this.#spent = added(this.#spent, amounts);
  }

  /**
   * By request, what asking it for all its rows takes: the calls at its own step, and those behind it. `newShareOf` says how much of what a
   * later step asked of one request alone counts. Requests of which a row has not ended are left out.
   */
  measurements(newShareOf: (step: string) => number): ReadonlyMap<string, Amounts> {
    const { rows: ended, later } = this.#endedRows();
    const measured = new Map<string, Amounts>();
    for (const [request, rows] of ended) {
      const own = rows.reduce<Amounts>((sum, { steps }) => added(sum, steps.get(request.step)?.amounts ?? {}), {});
      const failed = rows.filter(({ hasFailed }) => hasFailed).length / rows.length;
      measured.set(request.key, { ...own, failed });
    }
    for (const { step, rows, requests, amounts } of later) {
      const [request, other] = requests;
      const before = request && measured.get(request.key);
      if (request === undefined || before === undefined || other !== undefined) continue;
      const measuredRows = ended.get(request)?.length ?? 1;
      const isSameForAll = rows.length === measuredRows && (measuredRows > 1 || request.rows === 1);
      const times = (isSameForAll ? 1 : request.rows / measuredRows) * newShareOf(step);
      measured.set(request.key, added(before, scaled(amounts, times)));
    }
    return measured;
  }

  /** The calls that a run makes again although the sample has made them. */
  get askedAgain(): AskedAgain {
    let least: Amounts = {};
    let likely: Amounts = {};
    let most: Amounts = {};
    let failedRows = 0;
    const { rows: ended } = this.#endedRows();
    const { steps: names } = this.#options;
    const means = meansOf([...ended.values()].flat(), names);
    for (const [request, rows] of ended) {
      for (const { steps, failedAt } of rows) {
        const { amounts = {} } = (failedAt === undefined ? undefined : steps.get(failedAt)) ?? {};
        const { calls = 0 } = amounts;
        if (calls === 0) continue; // it failed for what it is, or shared the call of another row
        likely = added(likely, amounts);
        least = added(least, scaled(amounts, 1 / calls));
        const [own = {}, ...behind] = names.slice(names.indexOf(failedAt ?? "")).map((step) => means.get(step) ?? {});
        most = [largerOf(own, amounts), ...behind].reduce(added, most);
        failedRows += request.rows / rows.length;
      }
    }
    return { least, likely, most, rows: failedRows };
  }

  /** The calls of later steps that were the same for rows of several requests: they are made once, however many rows there are. */
  get shared(): Amounts {
    const shared = this.#endedRows().later.filter(({ requests }) => requests.size > 1);
    return shared.reduce<Amounts>((sum, { amounts }) => added(sum, amounts), {});
  }

  /**
   * By later step, how much of what the rest of the rows ask there is new.
   *
   * @param requestCount The number of requests that the sample was chosen from.
   */
  sharing(requestCount: number): ReadonlyMap<string, Sharing> {
    const { rows, later } = this.#endedRows();
    const byStep = Map.groupBy(later, ({ step }) => step);
    return new Map([...byStep].map(([step, uses]) => [step, sharingOf(uses, requestCount / Math.max(1, rows.size))]));
  }

  /**
   * How far the totals may be off, beside all that requests differ, for what rows of one request ask at later steps.
   *
   * @param requestCount The number of requests that the sample was chosen from.
   */
  offBehind(requestCount: number): OffBehind {
    return offBehind(this.#endedRows(), requestCount);
  }

  #endedRows(): Ended {
    if (this.#ended !== undefined) return this.#ended;
    const byRequest = Map.groupBy(this.#rows.values(), ({ request }) => request);
    const ended = [...byRequest].map(([request, rows]) => {
      return [request, rows.filter(({ hasFailed }) => hasFailed !== undefined)] as const;
    });
    const rows = new Map(ended.filter(([, ofRequest]) => ofRequest.length > 0));
    this.#ended = { rows, later: laterUses(rows, this.#options.steps) };
    return this.#ended;
  }
}

/** By step, what a row took there on average that did not fail at it. */
function meansOf(rows: readonly AskedRow[], steps: readonly string[]): ReadonlyMap<string, Amounts> {
  return new Map(
    steps.map((step) => {
      const uses = rows.flatMap((row) => (row.failedAt === step ? [] : (row.steps.get(step) ?? [])));
      const sum = uses.reduce<Amounts>((total, { amounts }) => added(total, amounts), {});
      return [step, scaled(sum, 1 / Math.max(1, uses.length))];
    }),
  );
}
