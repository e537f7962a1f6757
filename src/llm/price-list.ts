import { z } from "zod";
import type { LongInputPrices, Prices, TokenPrices } from "../contracts/prices.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { loadPackage } from "../errors/load-package.ts";
import { packageVersion } from "../files/package-version.ts";

/** For hints. */
export const pricePackage = "@pydantic/genai-prices";

const install = `npm install ${pricePackage}`;

/** The currency of all prices in the package. */
export const listCurrency = "USD";

/** The functions of the package that are used. What they return is read with care: another version may have another form. */
export interface PricePackage {
  readonly calcPrice: (
    usage: Readonly<Record<string, number>>,
    model: string,
    options: { readonly providerId: string; readonly timestamp: Date },
  ) => unknown;
  readonly findProvider: (options: { readonly providerApiUrl?: string; readonly providerId?: string }) => unknown;
}

const amount = z.number().nonnegative();
const price = z.union([
  amount.transform((base) => ({ base, tiers: [] })),
  z.object({ base: amount, tiers: z.array(z.object({ start: z.number().int().nonnegative(), price: amount })) }),
]);
const listedModel = z.object({
  model: z.object({ id: z.string() }),
  model_price: z.looseObject({
    input_mtok: price.optional(),
    cache_read_mtok: price.optional(),
    cache_write_mtok: price.optional(),
    output_mtok: price.optional(),
  }),
});
const listedSeller = z.object({ id: z.string(), api_pattern: z.string() });

type Price = z.infer<typeof price>;
type ListedPrices = z.infer<typeof listedModel>["model_price"];

/** Parts of a price for things that our usage does not count. A model with one of them has no cost here: it would be wrong. */
const uncountedParts = ["requests_kcount", "output_reasoning_mtok", "output_citation_mtok"];

/** The public prices that a package has, kept up by others. It works offline. */
export class PriceList {
  /** The package and its version: it has no date of its prices. */
  readonly source: string;
  readonly #package: PricePackage;

  private constructor(source: string, loaded: PricePackage) {
    this.source = source;
    this.#package = loaded;
  }

  /** Loads the package, or says in a clause why it can't be used: nobody has to have it. */
  static async load(
    load: () => Promise<PricePackage> = async () => await import("@pydantic/genai-prices"),
  ): Promise<PriceList | string> {
    let loaded: PricePackage;
    try {
      loaded = await loadPackage("prices", pricePackage, install, load);
    } catch (error) {
      if (error instanceof LLMEtlError) return `${pricePackage}, which has list prices, is not installed (${install})`;
      return `${pricePackage} can't be loaded`;
    }
    const source = `${pricePackage} ${packageVersion(pricePackage, import.meta.url) ?? ""}`.trim();
    return isUsable(loaded) ? new PriceList(source, loaded) : `${source} has another form than is known here`;
  }

  /** True if the list has the seller, given its id or the address of its API. */
  hasSeller(seller: string): boolean {
    return this.#sellerId(seller) !== undefined;
  }

  /** The prices of a seller's model at a moment; undefined for one that the list does not have, or not by tokens alone. */
  prices(seller: string, model: string, timestamp: Date): Prices | undefined {
    const providerId = this.#sellerId(seller);
    if (providerId === undefined) return undefined;
    const found = parsed(listedModel, () => this.#package.calcPrice({}, model, { providerId, timestamp }));
    if (found === undefined || (isFineTuned(model) && !isFineTuned(found.model.id))) return undefined;
    return pricesOf(found.model_price);
  }

  #sellerId(seller: string): string | undefined {
    const address = URL.parse(seller)?.href;
    const asked = address === undefined ? { providerId: seller } : { providerApiUrl: address };
    const found = parsed(listedSeller, () => this.#package.findProvider(asked));
    if (found === undefined) return undefined;
    const isMeant = address === undefined ? found.id === seller : isAddressOf(found.api_pattern, address);
    return isMeant ? found.id : undefined;
  }
}

function isUsable(loaded: Partial<PricePackage>): loaded is PricePackage {
  if (typeof loaded.calcPrice !== "function" || typeof loaded.findProvider !== "function") return false;
  try {
    const found = loaded.calcPrice({}, "gpt-4o", { providerId: "openai", timestamp: new Date() });
    return found === null || listedModel.safeParse(found).success;
  } catch {
    return false;
  }
}

/** The result of the package, if it is of the form that is known here; it may throw about a model whose prices it can't read. */
function parsed<Output>(form: z.ZodType<Output>, give: () => unknown): Output | undefined {
  try {
    return form.safeParse(give()).data;
  } catch {
    return undefined;
  }
}

/** The package's patterns have no end: `https://api.openai.com.gateway.example` is not OpenAI's. One may end with a dot, before the last part of the host. */
function isAddressOf(pattern: string, address: string): boolean {
  const { origin } = new URL(address);
  const [match] = new RegExp(`^(?:${pattern})`).exec(`${address.replace(/\/+$/, "")}/`) ?? [""];
  const rest = origin.slice(match.length);
  return rest === "" || (match.endsWith(".") && /^[a-z]+$/.test(rest));
}

/** A model that was trained further has a price of its own; some patterns of the package have it at that of its base. */
function isFineTuned(model: string): boolean {
  return /^ft:|\.ft-/i.test(model);
}

function pricesOf(listed: ListedPrices): Prices | undefined {
  const { input_mtok: input, output_mtok: output } = listed;
  if (input === undefined || output === undefined || uncountedParts.some((part) => part in listed)) return undefined;
  const parts = [input, output, listed.cache_read_mtok, listed.cache_write_mtok].filter((part) => part !== undefined);
  const starts = [...new Set(parts.flatMap(({ tiers }) => tiers.map(({ start }) => start)))];
  const tokenPrices = (inputTokens: number): TokenPrices => ({
    inputPerMillion: at(input, inputTokens),
    cachedInputPerMillion: at(listed.cache_read_mtok ?? input, inputTokens),
    cacheWritePerMillion: at(listed.cache_write_mtok ?? input, inputTokens),
    outputPerMillion: at(output, inputTokens),
  });
  const longInput: LongInputPrices[] = [];
  for (const start of starts.toSorted((one, other) => one - other))
    longInput.push({ aboveInputTokens: start, ...tokenPrices(start + 1) });
  return { ...tokenPrices(0), ...(longInput.length > 0 && { longInput }), currency: listCurrency };
}

/** The price of a token in a request with so many input tokens. */
function at({ base, tiers }: Price, inputTokens: number): number {
  const reached = tiers.filter(({ start }) => inputTokens > start).toSorted((one, other) => one.start - other.start);
  return reached.at(-1)?.price ?? base;
}
