import type { RunEvent } from "../contracts/events.ts";
import type { LLMProvider } from "../contracts/provider.ts";
import type { ResolvedStep } from "../contracts/step.ts";
import type { AnySource, SourceRow } from "../contracts/source.ts";
import { keyAsGiven } from "../engine/primary-key.ts";
import { sentRequest } from "../llm/call/send.ts";
import type { RowAsk, RowCall, RowLayer } from "../llm/call/row-call.ts";
import { worstCaseOf } from "../llm/call/worst-case.ts";
import type { CallPrices } from "../llm/price-book.ts";
import { sourceWith } from "../pipeline/source-with.ts";
import type { PlannedRows } from "./report.ts";
import type { Unit } from "./sample.ts";
import type { RequestSize } from "./token-count.ts";

/** A row that can be found again. */
export interface RowPlace {
  readonly pk: string;
  readonly position: number;
  /** Its key as the source gave it; undefined where it had none before its schema. */
  readonly key: string | undefined;
}

/** A distinct request that has no answer yet, at which rows stand. */
export interface OpenRequest extends Unit {
  readonly step: string;
  readonly provider: LLMProvider;
  /** The most that asking it once can cost; 0 without prices. */
  readonly worstCase: number;
  /** The most that a row of it is likely to cost beyond this call, at its own step and those behind it; 0 without prices. */
  readonly worstCaseBehind: number;
  /** Some of its rows, chosen at random. */
  readonly places: readonly RowPlace[];
}

/** So many rows of one request are kept: they tell if the steps behind it ask all its rows the same. */
const mostPlaces = 3;

/** The error at which a row stops whose next request has no answer. Nobody sees it. */
class OpenRequestError extends Error {}

export interface OpenRequestsOptions {
  readonly size: RequestSize;
  readonly random: () => number;
  readonly prices: Pick<CallPrices, "possible">;
  /** All of the pipeline. */
  readonly steps: readonly ResolvedStep[];
}

/**
 * Takes rows as far through their steps as the journal has answers, and counts the requests at which they stop. Nothing is asked.
 * Memory: some 300 bytes a distinct request.
 */
export class OpenRequests {
  readonly #options: OpenRequestsOptions;
  /** By name, a step and those behind it. */
  readonly #stepsFrom: ReadonlyMap<string, readonly StepCalls[]>;
  readonly #found = new Map<string, Found>();
  readonly #reused = new Map<string, number>();
  /** By position, the keys of rows on their way, as the source gave them. */
  readonly #keys = new Map<number, string | undefined>();
  /** By primary key, the requests at which rows on their way have stopped. */
  readonly #stopped = new Map<string, Found>();
  readonly #rows = { read: 0, answered: 0, toAsk: 0, failing: 0 };

  constructor(options: OpenRequestsOptions) {
    this.#options = options;
    const steps = options.steps.map((one) => {
      return { calls: callsOf(one), providers: Object.values(one.choices ?? { provider: one.provider }) };
    });
    this.#stepsFrom = new Map(options.steps.map(({ step }, place) => [step.name, steps.slice(place)]));
  }

  get rows(): PlannedRows {
    return { ...this.#rows };
  }

  /** In the order in which they were found. */
  get all(): readonly OpenRequest[] {
    return [...this.#found.values()];
  }

  /** By step, the answers in the journal that rows would reuse. */
  get reusedAnswers(): ReadonlyMap<string, number> {
    return this.#reused;
  }

  /** For what the journal does not have. */
  readonly carrier: RowAsk = async () => await Promise.reject(new OpenRequestError());

  readonly layer: RowLayer = (next) => async (call) => {
    const place = call.row.fingerprints.length;
    try {
      const answer = await next(call);
      this.#reused.set(call.step, (this.#reused.get(call.step) ?? 0) + 1);
      return answer;
    } catch (error) {
      // Without a journal no request is known to be another's.
      if (error instanceof OpenRequestError) this.#stop(call, call.row.fingerprints[place] ?? `row ${call.pk}`);
      throw error;
    }
  };

  /** The source, of whose rows the keys are kept while they are on their way. */
  readonly watched = (source: AnySource): AnySource => {
    const keys = this.#keys;
    return sourceWith(source, async function* read(context): AsyncGenerator<SourceRow> {
      for await (const row of source.read(context)) {
        if (!("error" in row)) keys.set(row.position, keyAsGiven(row.raw, source.primaryKeyColumn));
        yield row;
      }
    });
  };

  readonly observe = (event: RunEvent): void => {
    if (event.type !== "row-end") return;
    const { position, pk, outcome } = event;
    const key = this.#keys.get(position);
    this.#keys.delete(position);
    if (outcome === "pending") return;
    this.#rows.read += 1;
    const found = pk === null ? undefined : this.#stopped.get(pk);
    if (pk !== null && found !== undefined && event.errorCode !== "PRIMARY_KEY_DUPLICATE") {
      this.#stopped.delete(pk);
      this.#rows.toAsk += 1;
      this.#keepPlace(found, { pk, position, key });
    } else if (outcome === "written" || outcome === "unchanged") this.#rows.answered += 1;
    else this.#rows.failing += 1;
  };

  #stop(call: RowCall, key: string): void {
    const { step, pk, provider, request } = call;
    const found = this.#found.get(key) ?? {
      key,
      step,
      provider,
      size: this.#options.size.of(request.messages),
      ...this.#worstCasesOf(call),
      rows: 0,
      places: [],
    };
    this.#found.set(key, found);
    this.#stopped.set(pk, found);
  }

  /** Requests of later steps are not known yet: they are taken to be like this one, sent to the provider there. */
  #worstCasesOf(call: RowCall): Pick<OpenRequest, "worstCase" | "worstCaseBehind"> {
    const request = sentRequest(call);
    const known = new Map<LLMProvider, number>();
    const of = (provider: LLMProvider): number => {
      const cost = known.get(provider) ?? worstCaseOf(provider, request, this.#options.prices.possible(provider));
      known.set(provider, cost);
      return cost;
    };
    const worstCase = of(call.provider);
    const steps = this.#stepsFrom.get(call.step) ?? [];
    const all = steps.reduce((sum, { calls, providers }) => sum + calls * Math.max(...providers.map(of)), 0);
    return { worstCase, worstCaseBehind: Math.max(0, all - worstCase) };
  }

  /** Each of its rows is as likely to be kept (Vitter, Random sampling with a reservoir, 1985, algorithm R). */
  #keepPlace(found: Found, place: RowPlace): void {
    found.rows += 1;
    if (found.places.length < mostPlaces) found.places.push(place);
    else {
      const index = Math.floor(this.#options.random() * found.rows);
      if (index < mostPlaces) found.places[index] = place;
    }
  }
}

/** The most calls of a step about a row, and the providers that they may go to. */
interface StepCalls {
  readonly calls: number;
  readonly providers: readonly LLMProvider[];
}

/** The most calls of a step about a row, re-asks aside; 0 where it asks no model. */
export function callsOf({ step: { outputSchema, asking } }: ResolvedStep): number {
  return outputSchema === undefined ? 0 : (asking?.().calls.most ?? 1);
}

/** A request while rows are counted. */
interface Found extends Omit<OpenRequest, "rows" | "places"> {
  rows: number;
  readonly places: RowPlace[];
}
