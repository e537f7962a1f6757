/** One promise of a contract, checked: suites are data, so that any test runner can run them. */
export interface ContractCheck {
  /** The promise, as a sentence. */
  readonly name: string;
  /** Rejects where the promise is not kept. */
  readonly check: () => Promise<void>;
}
