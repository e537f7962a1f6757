import { deepEqual, ok } from "node:assert/strict";
import type { ColumnMap, ColumnValues, Sink, SinkSession, Violation } from "../contracts/sink.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { groupsOf } from "./row-groups.ts";

/** A table that a check asks for. */
export interface TestTable {
  readonly name: string;
  readonly columns: readonly TestColumn[];
  /** Its primary key; none, if there is no such column. */
  readonly key?: readonly string[];
  /** A value of the column `value` that the database itself rejects. */
  readonly rejects?: string;
  /** One of the kinds that the suite is to be run over; any will do where it is undefined. */
  readonly kind?: string;
}

/** A column of text. */
export interface TestColumn {
  readonly name: string;
  /** In characters; it reaches the model, whether the database enforces it or not. */
  readonly maxLength?: number;
  readonly isNotNull?: boolean;
  readonly default?: string;
  /** The database computes it from this column. */
  readonly computedFrom?: string;
  /** Upper case is lower case to it, or is not. @default as the database has it */
  readonly ignoresCase?: boolean;
}

export interface TestSinkOptions<State> {
  readonly targetTable: string;
  readonly columnMap: ColumnMap<State>;
  readonly strategy: string;
  readonly mergeKeys?: readonly string[];
  /** Those of `mergeKeys` that the rows of a group share. */
  readonly groupKey?: readonly string[] | undefined;
  /** The table and where it is are to be spelt in another way than usual. */
  readonly isTwin?: boolean;
}

/** A database of a check's own, and how it is seen from outside of the sink. */
export interface DatabaseUnderTest {
  readonly create: (table: TestTable) => Promise<void>;
  /** Runs SQL that the sink or its dialect printed. */
  readonly execute: (sql: string) => Promise<void>;
  readonly insert: (table: string, rows: readonly ColumnValues[]) => Promise<void>;
  readonly rows: (table: string) => Promise<readonly ColumnValues[]>;
  readonly sink: <State>(options: TestSinkOptions<State>) => Sink<State>;
  /** Makes a view under this name, where the database has views. */
  readonly createView?: ((name: string) => Promise<void>) | undefined;
  /** The connection breaks at the next commit, before or after it is carried out. */
  readonly loseCommit?: ((when: "before" | "after") => void) | undefined;
  readonly release?: (() => Promise<void>) | undefined;
}

/** The table that most checks write to. */
export const visits: TestTable = {
  name: "visits",
  columns: [{ name: "id", isNotNull: true }, { name: "value" }],
  key: ["id"],
};

/** A sink over a table, which takes each column's value as it comes. */
export function sinkOver(
  database: DatabaseUnderTest,
  strategy: string,
  {
    name = "visits",
    columns = ["id", "value"],
    mergeKeys = ["id"],
    groupKey,
    isTwin = false,
  }: Partial<TargetNames> = {},
): Sink<never> {
  return database.sink({
    targetTable: name,
    columnMap: Object.fromEntries(columns.map((column) => [column, () => null])),
    strategy,
    ...(strategy !== "insert" && { mergeKeys }),
    ...(groupKey !== undefined && { groupKey }),
    isTwin,
  });
}

interface TargetNames {
  readonly name: string;
  readonly columns: readonly string[];
  readonly mergeKeys: readonly string[];
  readonly groupKey: readonly string[] | undefined;
  readonly isTwin: boolean;
}

export async function openSink(sink: Sink<never>): Promise<SinkSession> {
  return await sink.open({ signal: new AbortController().signal });
}

/** Opens a sink over a table that is made for it. */
export async function openOver(
  database: DatabaseUnderTest,
  strategy: string,
  table: TestTable = visits,
): Promise<SinkSession> {
  await database.create(table);
  return await openSink(sinkOver(database, strategy));
}

export async function write(session: SinkSession, ...rows: readonly ColumnValues[]): Promise<void> {
  await session.write(groupsOf(rows));
}

/** As the engine does it: each row is checked, and those that pass are written. */
export async function checkAndWrite(
  session: SinkSession,
  ...rows: readonly ColumnValues[]
): Promise<readonly Violation[]> {
  const violations = rows.map((values) => session.check?.(values) ?? []);
  await write(session, ...rows.filter((_, index) => violations[index]?.length === 0));
  return violations.flat();
}

/** The error of that name with which the work must fail. */
export async function errorOf(work: Promise<unknown>, name: string): Promise<LLMEtlError> {
  const [outcome] = await Promise.allSettled([work]);
  ok(outcome.status === "rejected" && outcome.reason instanceof LLMEtlError, `expected a ${name}, and nothing failed`);
  deepEqual(outcome.reason.name, name, outcome.reason.message);
  return outcome.reason;
}

/** That the table holds these rows, in any order. */
export async function expectRows(
  database: DatabaseUnderTest,
  expected: readonly ColumnValues[],
  table = "visits",
): Promise<void> {
  deepEqual(inOrder(await database.rows(table)), inOrder(expected));
}

function inOrder(rows: readonly ColumnValues[]): string[] {
  const texts = rows.map((row) => {
    return JSON.stringify(Object.entries(row).toSorted(([left], [right]) => left.localeCompare(right, "en")));
  });
  return texts.toSorted((left, right) => left.localeCompare(right, "en"));
}
