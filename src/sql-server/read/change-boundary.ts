import type { Fail } from "../connect/connection.ts";
import { describeType } from "../../errors/describe-type.ts";
import { keyText } from "../../engine/primary-key.ts";
import { numberOfMoment } from "../../table/change-times.ts";
import type { SQLServerChanges } from "./change-options.ts";
import type { ChangeOrder } from "./change-order.ts";
import type { RawRow } from "./read-session.ts";
import type { ResultType } from "./read-types.ts";

/** The questions to the server by which the boundary is found. */
export interface BoundaryQuestions {
  readonly where: string;
  readonly fail: Fail;
  /** The greatest value of the column among the rows; undefined where there is none. */
  readonly greatest: () => Promise<unknown>;
  /** The row of a query of its own, under a name for messages. */
  readonly ask: (name: string, text: string) => Promise<RawRow>;
}

/**
 * The value in the column, as a key is written, before which no row can appear any more that is not there now. Undefined where nothing can be
 * said. To be asked for before the rows are read.
 *
 * @throws the error of `fail` for a column that can't tell the changes
 */
export async function changeBoundary(
  changes: SQLServerChanges,
  order: ChangeOrder,
  questions: BoundaryQuestions,
): Promise<string | undefined> {
  requireType(changes, order, questions);
  if (changes.by === "rowversion") return await leastActive(questions);
  const { lagSeconds = 300 } = changes;
  const { columnType, column } = order;
  if (lagSeconds > 0 && stepMs(columnType) !== undefined) return await timeBefore(lagSeconds, columnType, questions);
  const greatest = await questions.greatest();
  if (lagSeconds === 0 || greatest === undefined) return keyText(greatest);
  const boundary = numberOfMoment(Number(greatest), before(Date.now(), lagSeconds));
  if (boundary !== undefined) return boundary;
  const hint = "with lagSeconds: 0 any values will do that grow, and whose transactions commit in their order";
  const expected = "times: a column of DATETIME2 or the like, or seconds or milliseconds since 1970";
  const facts = { where: questions.where, column, expected, got: describeType(greatest), hint };
  throw questions.fail(`the greatest value of "${column}" is no time`, { facts });
}

const numbers = new Set(["tinyint", "smallint", "int", "bigint", "decimal", "numeric"]);

function requireType(
  { by }: SQLServerChanges,
  { column, columnType }: ChangeOrder,
  { where, fail }: BoundaryQuestions,
) {
  const { name, declaration: got } = columnType;
  const isRowversion = name === "timestamp" || name === "rowversion";
  if (by === "rowversion") {
    if (isRowversion) return;
    const hint = `for a column of another type write changes: { by: "column", column: ${JSON.stringify(column)} }`;
    const facts = { where, column, expected: "a column of the type rowversion", got, hint };
    throw fail(`the column of the changes, "${column}", is no rowversion`, { facts });
  }
  if (numbers.has(name) || stepMs(columnType) !== undefined) return;
  const hint = isRowversion ? `write changes: { by: "rowversion", column: ${JSON.stringify(column)} }` : undefined;
  const facts = { where, column, expected: "a column of dates and times, whole numbers or decimals", got, hint };
  throw fail(`the column of the changes, "${column}", has a type that can't tell them`, { facts });
}

const questionForLeast = `SELECT MIN_ACTIVE_ROWVERSION() AS [least],
  CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS nvarchar(60)) AS [updateability]`;
const questionForTime = "SELECT SYSUTCDATETIME() AS [utc], SYSDATETIME() AS [local]";

/** The least version that an open transaction has given to a row, or that the next one will give. */
async function leastActive({ ask, fail, where }: BoundaryQuestions): Promise<string | undefined> {
  const row = await ask("the question for the least active rowversion", questionForLeast);
  if (row["updateability"] === "READ_ONLY") {
    const hint = "connect to the primary, without ApplicationIntent=ReadOnly, or tell changes by a column of times";
    const facts = { where, expected: "the database that is written to", got: "one that is read-only here", hint };
    throw fail("changes can't be told by rowversion in a copy: it does not know the transactions that are open", {
      facts,
    });
  }
  return keyText(row["least"]);
}

/**
 * The time that is over by the lag, in steps of the type. A type without a time zone may hold UTC or a local time, of the server or of this
 * machine: the earliest of them counts.
 */
async function timeBefore(
  lagSeconds: number,
  type: ResultType,
  { ask }: BoundaryQuestions,
): Promise<string | undefined> {
  const row = await ask("the question for the server's time", questionForTime);
  const now = new Date();
  const here = now.getTime();
  const local = [msOf(row["local"]), here - now.getTimezoneOffset() * 60_000];
  const nowMs = Math.min(here, msOf(row["utc"]), ...(type.name === "datetimeoffset" ? [] : local));
  const step = stepMs(type) ?? 1;
  const text = new Date(Math.floor(before(nowMs, lagSeconds) / step) * step).toISOString();
  switch (type.name) {
    case "date":
      return text.slice(0, 10);
    case "datetime2":
      return text.slice(0, -1);
    case "datetimeoffset":
      return text.replace("Z", "+00:00");
    default:
      return text;
  }
}

/** The moment before another one by a lag; not before 1970, where some types begin. */
function before(nowMs: number, lagSeconds: number): number {
  return Math.max(0, nowMs - lagSeconds * 1000);
}

/** Of a time in UTC, or as if it were. */
function msOf(time: unknown): number {
  return Date.parse(`${String(time).slice(0, 23)}Z`);
}

/** The steps in which a type of times counts, or longer ones. */
function stepMs({ name, scale }: ResultType): number | undefined {
  switch (name) {
    case "date":
      return 86_400_000;
    case "smalldatetime":
      return 60_000;
    case "datetime":
      return 10; // its own are of 3⅓ milliseconds
    case "datetime2":
    case "datetimeoffset":
      return 10 ** Math.max(0, 3 - scale);
    default:
      return undefined;
  }
}
