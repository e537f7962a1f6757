/** Prices of a provider's tokens, from your contract with it: money per million tokens. None are built in. */
export interface Prices {
  readonly inputPerMillion: number;
  /** For the part of the input that the service had cached. */
  readonly cachedInputPerMillion: number;
  /** For the part of the input that the service wrote to its cache. @default `inputPerMillion` */
  readonly cacheWritePerMillion?: number | undefined;
  /** Reasoning tokens are output tokens. */
  readonly outputPerMillion: number;
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
