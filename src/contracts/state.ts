/** The model calls of one step for one row, and their cost in tokens: for audit columns. */
export interface Lineage {
  /** The model as the provider named it in its answer. */
  readonly model: string;
  /** The first 16 hexadecimal digits of the SHA-256 of the step's system message and schema. */
  readonly promptHash: string;
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  /** Calls made for this row by this step: 1, and one for each re-ask or repeat. */
  readonly calls: number;
}

export interface StateFields<Row extends object, Processed extends object> {
  readonly pk: string;
  readonly raw: Readonly<Row>;
  readonly processed: Readonly<Processed>;
  readonly log: readonly string[];
  readonly startedAt: Date;
}
