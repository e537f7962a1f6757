import type { IProcedureResult, Request } from "mssql";
import type { OpenConnection } from "../connect/connection.ts";
import type { Query } from "./exact-query.ts";
import { driverType, type StatementParameter } from "../parameters.ts";
import type { DescribedColumn } from "./result-shape.ts";

/** Rows that are made and not yet asked for; beyond them the server waits. */
const rowsAhead = 64;

/**
 * The rows of a query, as arrays, as they come: while the consumer is busy the server waits. When the consumer stops or the
 * signal aborts, the statement is cancelled on the server, and its connection is free when this has ended.
 *
 * @throws the driver's errors; the signal's reason; the error of `onSecondResult` where another result set comes
 */
export async function* streamRows(
  { driver, pool }: OpenConnection,
  query: Query,
  { signal, onSecondResult }: { readonly signal: AbortSignal; readonly onSecondResult: () => Error },
): AsyncGenerator<readonly unknown[], void, undefined> {
  signal.throwIfAborted();
  const request = withParameters(pool.request(), query.parameters, driver);
  request.arrayRowMode = true;
  const rows = request.toReadableStream({ highWaterMark: rowsAhead });
  let resultCount = 0;
  request.on("recordset", () => {
    resultCount += 1;
    if (resultCount > 1) rows.destroy(onSecondResult());
  });
  const stop = (): void => {
    rows.destroy(reasonOf(signal));
  };
  signal.addEventListener("abort", stop, { once: true });
  let isDone = false;
  const ended = request.query(query.text).finally(() => {
    isDone = true;
  });
  try {
    yield* rows;
  } finally {
    signal.removeEventListener("abort", stop);
    if (!isDone) request.cancel(); // a stream that is destroyed drains the result to its last row
    await ended;
  }
}

/** The columns of the query's first result, as the server describes them without running it. */
export async function describeQuery(
  { driver, pool }: OpenConnection,
  text: string,
  declarations: string,
  signal: AbortSignal,
): Promise<readonly DescribedColumn[]> {
  signal.throwIfAborted();
  const request = pool.request();
  request.arrayRowMode = false; // a pool of the user's may have it as its default
  request.stream = false;
  request.input("tsql", driver.NVarChar(driver.MAX), text);
  request.input("params", driver.NVarChar(driver.MAX), declarations);
  const stop = (): void => {
    request.cancel();
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    const { recordset }: IProcedureResult<DescribedColumn> = await request.execute("sp_describe_first_result_set");
    return recordset ?? [];
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function withParameters(request: Request, parameters: readonly StatementParameter[], driver: Driver): Request {
  for (const { name, sentAs, value } of parameters) request.input(name, driverType(driver, sentAs), value);
  return request;
}

type Driver = OpenConnection["driver"];

function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error("aborted", { cause: reason });
}
