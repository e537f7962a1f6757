import type { EventHandler } from "../contracts/events.ts";
import type { PriceListing, Prices } from "../contracts/prices.ts";
import type { LLMProvider } from "../contracts/provider.ts";
import { listCurrency, PriceList, pricePackage, type PricePackage } from "./price-list.ts";

/** A provider, as far as its prices go. */
export type PricedProvider = Pick<LLMProvider, "name" | "prices" | "listing">;

/** The prices of calls. */
export interface CallPrices {
  /** Those of a call that `model` answered; without one, of the model that the provider asks. Undefined where none are known. */
  readonly of: (provider: LLMProvider, model?: string) => Prices | undefined;
  /** All that the provider's calls may have in the next hours; none where none are known. */
  readonly possible: (provider: LLMProvider) => readonly Prices[];
}

/** The providers' own prices alone. */
export const ownPrices: CallPrices = {
  of: ({ prices }) => prices,
  possible: ({ prices }) => (prices === undefined ? [] : [prices]),
};

export interface PriceBookOptions {
  /** Hears once of each model by whose list price a call is paid, or that the list does not have. */
  readonly emit: EventHandler;
  /** Loads the package of prices. @default it is imported */
  readonly load?: (() => Promise<PricePackage>) | undefined;
  /** @default the clock */
  readonly now?: (() => Date) | undefined;
}

/** A name that is longer is no model's. */
const longestName = 200;

/** A service that calls itself otherwise with each answer is not told about for ever. */
const mostUnlisted = 20;

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
/** No list has prices that hold for less than an hour of the day. */
const hoursAhead = 24;

/**
 * The prices of a run's calls: a provider's own, or else those that a public list has for the model that answered. Prices in two
 * currencies are never mixed: where own ones are in another than the list's, the list is not used.
 */
export class PriceBook implements CallPrices {
  /** The package with the list prices and its version; undefined where no list is used. */
  readonly source: string | undefined;
  /** A clause that says why no list is used although a provider has a place in one. */
  readonly problem: string | undefined;
  readonly #list: PriceList | undefined;
  readonly #emit: EventHandler;
  readonly #now: () => Date;
  readonly #told = new Set<string>();
  #unlistedCount = 0;
  /** By seller and model, of this minute: prices may change with the time of day. */
  #known = new Map<string, Prices | undefined>();
  #possible = new Map<string, readonly Prices[]>();
  #minute = 0;

  private constructor(list: PriceList | string | undefined, { emit, now = () => new Date() }: PriceBookOptions) {
    this.#list = typeof list === "string" ? undefined : list;
    this.problem = typeof list === "string" ? list : undefined;
    this.source = this.#list?.source;
    this.#emit = emit;
    this.#now = now;
  }

  /** Opens the book for the providers of a run. The package is loaded only if one of them needs it. */
  static async open(providers: readonly PricedProvider[], options: PriceBookOptions): Promise<PriceBook> {
    if (!providers.some(needsList)) return new PriceBook(undefined, options);
    const foreign = providers.find(({ prices }) => prices !== undefined && prices.currency !== listCurrency)?.prices;
    if (foreign === undefined) return new PriceBook(await PriceList.load(options.load), options);
    return new PriceBook(`list prices are in ${listCurrency}, and others are in ${foreign.currency}`, options);
  }

  readonly of = (provider: PricedProvider, model?: string): Prices | undefined => {
    if (provider.prices !== undefined || this.#list === undefined) return provider.prices;
    const { listing } = provider;
    const name = listing && modelOf(listing, model);
    if (listing === undefined || name === undefined) return undefined;
    const prices = this.#find(listing, name);
    this.#tell(provider.name, name, prices);
    return prices;
  };

  readonly possible = (provider: PricedProvider): readonly Prices[] => {
    const { prices, listing } = provider;
    if (prices !== undefined) return [prices];
    if (listing?.model === undefined) return [];
    const { seller, model } = listing;
    const now = this.#thisMinute();
    const key = `${seller}\n${model}`;
    const found = this.#possible.get(key) ?? this.#within({ seller, model }, now);
    this.#possible.set(key, found);
    return found;
  };

  /** Tells of the list prices that are known before a call is answered. */
  tellKnown(providers: readonly PricedProvider[]): void {
    for (const provider of providers) if (this.whyUnknown(provider) === undefined) this.of(provider);
  }

  /** A clause that says why the prices of the provider are not known before its first answer; undefined where they are. */
  whyUnknown(provider: PricedProvider): string | undefined {
    const { name, prices, listing } = provider;
    if (prices !== undefined) return undefined;
    if (listing === undefined) return `${name} has none`;
    if (this.#list === undefined) return `${name} has none, and ${this.problem ?? `${pricePackage} is not used`}`;
    const { source } = this.#list;
    if (!this.#list.hasSeller(listing.seller)) return `${name} has none, and ${source} does not know its address`;
    if (listing.model === undefined) return `the model behind ${name} is not known before its first answer`;
    return this.#find(listing, listing.model) === undefined
      ? `${name} has none, and ${source} has none of ${listing.model}`
      : undefined;
  }

  #find({ seller }: PriceListing, model: string): Prices | undefined {
    const now = this.#thisMinute();
    const key = `${seller}\n${model}`;
    if (this.#known.has(key)) return this.#known.get(key);
    const prices = this.#list?.prices(seller, model, now);
    this.#known.set(key, prices);
    return prices;
  }

  /** The different prices of the hours to come. */
  #within({ seller, model }: { readonly seller: string; readonly model: string }, now: Date): readonly Prices[] {
    const byText = new Map<string, Prices>();
    for (let hour = 0; hour <= hoursAhead; hour += 1) {
      const prices = this.#list?.prices(seller, model, new Date(now.getTime() + hour * hourMs));
      if (prices !== undefined) byText.set(JSON.stringify(prices), prices);
    }
    return [...byText.values()];
  }

  #thisMinute(): Date {
    const now = this.#now();
    const minute = Math.floor(now.getTime() / minuteMs);
    if (minute !== this.#minute) {
      this.#known = new Map();
      this.#possible = new Map();
    }
    this.#minute = minute;
    return now;
  }

  #tell(provider: string, model: string, prices: Prices | undefined): void {
    const key = `${provider}\n${model}`;
    if (this.source === undefined || this.#told.has(key)) return;
    if (prices === undefined && this.#unlistedCount >= mostUnlisted) return;
    if (prices === undefined) this.#unlistedCount += 1;
    this.#told.add(key);
    this.#emit({ type: "list-price", provider, model, source: this.source, prices: prices ?? null });
  }
}

function needsList({ prices, listing }: PricedProvider): boolean {
  return prices === undefined && listing !== undefined;
}

/** The model that answered. Where the answer does not name it, the one that is asked. */
function modelOf({ model, deployment }: PriceListing, answered: string | undefined): string | undefined {
  const name = typeof answered === "string" ? answered.trim() : ""; // a provider of others may give anything
  return name === "" || name === deployment || name.length > longestName ? model : name;
}
