/** Prices of tokens: money per million of them. */
export interface TokenPrices {
  readonly inputPerMillion: number;
  /** For the part of the input that the service had cached. */
  readonly cachedInputPerMillion: number;
  /** For the part of the input that the service wrote to its cache. @default `inputPerMillion` */
  readonly cacheWritePerMillion?: number | undefined;
  /** Reasoning tokens are output tokens. */
  readonly outputPerMillion: number;
}

/** The prices of all tokens of a request whose input is long. */
export interface LongInputPrices extends TokenPrices {
  /** They hold for requests with more input tokens than this, cached ones included. */
  readonly aboveInputTokens: number;
}

/** Prices of a provider's tokens, from your contract with it or from a public list. */
export interface Prices extends TokenPrices {
  /**
   * Prices for long inputs, in rising order of `aboveInputTokens`: the last that a request reaches holds for all its tokens, the output too.
   * @default inputs of any length have the same
   *
   * @example [{ aboveInputTokens: 272_000, inputPerMillion: 10, cachedInputPerMillion: 1, outputPerMillion: 45 }]
   */
  readonly longInput?: readonly LongInputPrices[] | undefined;
  /** The name that reports show: `USD`, `EUR`. */
  readonly currency: string;
  /**
   * By service tier, the factor of all prices. @default flex and batch 0.5, priority 2.5, any other 1
   *
   * Flex and Batch cost half on Azure OpenAI and OpenAI; priority costs 1.7 to 2.5 times as much by model (OpenAI's page on priority processing, and its
   * price of GPT-5.5, 2026): the default is the dearest, so that a limit holds.
   */
  readonly tierFactors?: Readonly<Record<string, number>> | undefined;
}

/** The place of a provider's model in a public price list, which has the prices where the provider has none of its own. */
export interface PriceListing {
  /** The seller of the tokens: its id in `@pydantic/genai-prices` (`azure`, `openai`), or the address of its API, of which that package knows many. */
  readonly seller: string;
  /** The seller's name for the model that is asked. @default known by the first answer, which names its model */
  readonly model?: string | undefined;
  /** The name by which the model is asked, where that is none of the seller's: an answer that bears it does not tell its model. @default none */
  readonly deployment?: string | undefined;
}
