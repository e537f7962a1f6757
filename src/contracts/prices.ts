/** What a provider's tokens cost, as your contract says: none are built in. Money per million tokens. */
export interface Prices {
  readonly inputPerMillion: number;
  /** For the part of the input that the service had cached. */
  readonly cachedInputPerMillion: number;
  /** Reasoning tokens are output tokens. */
  readonly outputPerMillion: number;
  /** As it is to stand in reports: `USD`, `EUR`. */
  readonly currency: string;
}
