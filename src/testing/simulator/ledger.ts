import type { Prices } from "../../contracts/prices.ts";
import type { AnswerTokens } from "./statistics.ts";

/** Requests that were billed, with their tokens and their cost. */
export interface SimulatorBillPart {
  readonly requests: number;
  /** Those read from the cache and those written to it are among them. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** 0 without a price for them. */
  readonly cacheWriteTokens: number;
  /** Those of the reasoning are among them. */
  readonly completionTokens: number;
  /** In the currency of the prices; null without prices. */
  readonly cost: number | null;
}

/** The bill of a simulator since its start or its last reset: of each request that it worked on, also where the reply got lost. */
export interface SimulatorBill extends SimulatorBillPart {
  /** The currency of the prices; null without prices. */
  readonly currency: string | null;
  readonly byDeployment: Readonly<Record<string, SimulatorBillPart>>;
  /** By the service tier that answered. */
  readonly byTier: Readonly<Record<string, SimulatorBillPart>>;
  /** Requests that it works on now, also for clients that have left: they are not on the bill yet. */
  readonly inWork: number;
}

/** A request that is billed. */
export interface BilledRequest extends Omit<AnswerTokens, "reasoningTokens"> {
  readonly deployment: string;
  readonly tier: string;
}

interface Entry {
  readonly deployment: string;
  readonly tier: string;
  requests: number;
  promptTokens: number;
  cachedTokens: number;
  cacheWriteTokens: number;
  completionTokens: number;
}

/** A client's invented names must not fill the memory: those beyond so many share an entry. */
const maxDeployments = 1000;
const otherDeployments = "others";

/**
 * Keeps the bill. Whole tokens are added up, and priced when the bill is read: no sum of amounts drifts. Its arithmetic is its own and not that
 * of `llm/pricing.ts`, so that the one can judge the other.
 */
export class Ledger {
  readonly #prices: Prices | undefined;
  readonly #entries = new Map<string, Map<string, Entry>>();
  #inWork = 0;

  constructor(prices: Prices | undefined) {
    this.#prices = prices;
  }

  began(): void {
    this.#inWork += 1;
  }

  ended(): void {
    this.#inWork -= 1;
  }

  bill({ deployment, tier, promptTokens, cachedTokens, cacheWriteTokens = 0, completionTokens }: BilledRequest): void {
    const entry = this.#entry(deployment, tier);
    entry.requests += 1;
    entry.promptTokens += promptTokens;
    entry.cachedTokens += cachedTokens;
    entry.cacheWriteTokens += cacheWriteTokens;
    entry.completionTokens += completionTokens;
  }

  read(): SimulatorBill {
    const entries = [...this.#entries.values()].flatMap((tiers) => Array.from(tiers.values()));
    return {
      ...this.#sum(entries),
      currency: this.#prices?.currency ?? null,
      byDeployment: this.#sumsBy(entries, ({ deployment }) => deployment),
      byTier: this.#sumsBy(entries, ({ tier }) => tier),
      inWork: this.#inWork,
    };
  }

  #entry(deployment: string, tier: string): Entry {
    const name = this.#entries.has(deployment) || this.#entries.size < maxDeployments ? deployment : otherDeployments;
    const tiers = this.#entries.get(name) ?? new Map<string, Entry>();
    this.#entries.set(name, tiers);
    const counts = { requests: 0, promptTokens: 0, cachedTokens: 0, cacheWriteTokens: 0, completionTokens: 0 };
    const entry = tiers.get(tier) ?? { deployment: name, tier, ...counts };
    tiers.set(tier, entry);
    return entry;
  }

  #sumsBy(entries: readonly Entry[], nameOf: (entry: Entry) => string): Record<string, SimulatorBillPart> {
    const groups = Map.groupBy(entries, nameOf);
    return Object.fromEntries([...groups].map(([name, group]) => [name, this.#sum(group)]));
  }

  #sum(entries: readonly Entry[]): SimulatorBillPart {
    const total = (count: (entry: Entry) => number): number => entries.reduce((sum, entry) => sum + count(entry), 0);
    const prices = this.#prices;
    return {
      requests: total(({ requests }) => requests),
      promptTokens: total(({ promptTokens }) => promptTokens),
      cachedTokens: total(({ cachedTokens }) => cachedTokens),
      cacheWriteTokens: total(({ cacheWriteTokens }) => cacheWriteTokens),
      completionTokens: total(({ completionTokens }) => completionTokens),
      cost: prices === undefined ? null : total((entry) => amountOf(entry, prices)),
    };
  }
}

function amountOf(
  { tier, promptTokens, cachedTokens, cacheWriteTokens, completionTokens }: Entry,
  prices: Prices,
): number {
  const written = prices.cacheWritePerMillion ?? prices.inputPerMillion;
  const perMillion =
    (promptTokens - cachedTokens - cacheWriteTokens) * prices.inputPerMillion +
    cachedTokens * prices.cachedInputPerMillion +
    cacheWriteTokens * written +
    completionTokens * prices.outputPerMillion;
  return (perMillion / 1_000_000) * factorOf(tier, prices);
}

/** The factors that {@link Prices.tierFactors} promises where it names none. */
function factorOf(tier: string, { tierFactors = {} }: Prices): number {
  const usual = tier === "flex" || tier === "batch" ? 0.5 : tier === "priority" ? 2.5 : 1;
  return tierFactors[tier] ?? usual;
}
