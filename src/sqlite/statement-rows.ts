import type { SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";

/** Of a row, in the order of the columns. */
export type StatementValues = readonly SQLOutputValue[];

/** Rows of statements that return arrays. */
export type StatementRows = Generator<StatementValues, void, undefined>;

/** The rows of one statement after the other, each with its bindings. */
export function* rowsOf(
  parts: readonly (readonly [statement: StatementSync, bindings: Record<string, SQLInputValue>])[],
): StatementRows {
  for (const [statement, bindings] of parts) {
    yield* statement.iterate(bindings) as Iterable<unknown> as Iterable<StatementValues>; // the driver's types know objects alone
  }
}
