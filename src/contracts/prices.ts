/** Prices of a provider's tokens, from your contract with it: money per million tokens. None are built in. */
export interface Prices {
  readonly inputPerMillion: number;
  /** For the part of the input that the service had cached. */
  readonly cachedInputPerMillion: number;
  /** Reasoning tokens are output tokens. */
  readonly outputPerMillion: number;
  /** The name that reports show: `USD`, `EUR`. */
  readonly currency: string;
}
