import type { MappedRow } from "./change-detector.ts";
import type { RowInFlight } from "./rows-in-flight.ts";

/** A row that has passed all steps, and what each sink is to have of it, in their order. */
export interface FinishedRow {
  readonly row: RowInFlight;
  /** Its place among the rows of the run, from 0. */
  readonly sequence: number;
  readonly mapped: readonly MappedRow[];
}

/** A finished row on its way through one sink, as that is to have it. */
export interface PassingRow extends MappedRow {
  readonly finished: FinishedRow;
}
