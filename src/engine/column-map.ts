import type { ColumnMap, ColumnValues, SinkSession, Violation } from "../contracts/sink.ts";
import { ColumnMapError, SinkError, ValueError } from "../errors/sink.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { ignoreRejection } from "../errors/promised.ts";
import { describeThrown, thrownBy, thrownDetail } from "../errors/thrown.ts";

/**
 * Maps a finished row to the values of its columns.
 *
 * @throws {ColumnMapError} if a function of the map throws or returns a promise
 */
export function mapColumns<State>(columnMap: ColumnMap<State>, state: State): ColumnValues {
  const values: Record<string, unknown> = { ...columnMap }; // has the columns, one named __proto__ too, at a fraction of the cost of entries
  for (const [column, read] of Object.entries(columnMap)) values[column] = valueOf(column, read, state);
  return values;
}

function valueOf<State>(column: string, read: (state: State) => unknown, state: State): unknown {
  let value: unknown;
  try {
    value = read(state);
  } catch (error) {
    throw error instanceof LLMEtlError ? error : new ColumnMapError(column, error);
  }
  if (!ignoreRejection(value)) return value;
  throw new ColumnMapError(column, new TypeError("returned a promise: do in a TransformStep what has to be awaited"));
}

/**
 * @throws {ValueError} naming each column whose value the sink says that the target can't hold
 * @throws {SinkError} if the sink's check itself throws
 */
export function assertFits(sink: string, session: SinkSession, values: ColumnValues, unchangedKey?: string): void {
  const violations = check(sink, session, values, unchangedKey);
  if (violations.length === 0) return;
  throw new ValueError(
    violations.map(({ column, message }) => `${column}: ${message}`).join("; "),
    violations.map(({ column, detail }) => `${column}: ${detail}`).join("; "),
    violations.map(({ column }) => column),
  );
}

function check(
  sink: string,
  session: SinkSession,
  values: ColumnValues,
  unchangedKey: string | undefined,
): readonly Violation[] {
  try {
    return session.check?.(values, unchangedKey) ?? [];
  } catch (error) {
    throw error instanceof LLMEtlError
      ? error
      : new SinkError(sink, `its check threw ${describeThrown(error)}`, {
          cause: error,
          detail: `${sink}: its check threw ${thrownDetail(error)}`,
          facts: { ...thrownBy(error) },
        });
  }
}
