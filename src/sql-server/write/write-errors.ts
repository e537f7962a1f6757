import { type ErrorOptions, LLMEtlError } from "../../errors/llm-etl-error.ts";
import { SinkDataError } from "../../errors/sink.ts";
import { messageOf } from "../../errors/thrown.ts";
import type { Fail } from "../connect/connection.ts";
import { refusalOf } from "./refusals.ts";
import type { Target } from "./target.ts";
import { CommitInDoubtError } from "../connect/transaction.ts";
import { driverFacts, isTransient } from "../connect/transient-errors.ts";

/** Whether the same batch may well be written a little later. */
export function isPassing(error: unknown): boolean {
  if (error instanceof LLMEtlError) return false;
  return isTransient(error) || (error instanceof CommitInDoubtError && driverFacts(error).numbers.length === 0);
}

export interface WriteErrorContext {
  readonly sink: string;
  readonly target: Pick<Target, "table" | "names">;
  readonly fail: Fail;
  readonly timeoutMs: number;
}

/**
 * What to throw for a batch that was not written: a SinkDataError where the data is to blame, so that other rows go on, else what ends the
 * run. The server's own words, which may hold values, are left to the `detail`.
 */
export function explainWrite(cause: unknown, { sink, target, fail, timeoutMs }: WriteErrorContext): unknown {
  if (cause instanceof LLMEtlError) return cause;
  const { numbers, codes } = driverFacts(cause);
  const [number] = numbers;
  const said = number === undefined ? (codes[0] ?? "no error number") : `error ${number}`;
  const options: ErrorOptions = { cause, detail: messageOf(cause) };
  if (isPassing(cause)) {
    const seconds = Math.round(timeoutMs / 1000);
    const advice = "what was written is kept; run again to go on from there, or raise sinkTimeoutMs";
    return fail(`the server took no batch for ${seconds} seconds (${said}); ${advice}`, options);
  }
  const refusal = refusalOf(cause, target.names);
  if (refusal !== undefined) {
    const problem = `the server refused a row: error ${refusal.number}, ${refusal.reason}`;
    return new SinkDataError(sink, problem, { cause, detail: `${problem}: ${messageOf(cause)}` });
  }
  const remedy = remedies.get(number ?? 0);
  return fail(`${target.table} can't be written (${said})${remedy === undefined ? "" : `: ${remedy}`}`, options);
}

const remedies: ReadonlyMap<number, string> = new Map([
  [102, `the server does not know the statement; where it has no MERGE, use strategy "update_insert"`],
  [207, "a column is gone: the table was changed during the run"],
  [208, "the table is gone: it was changed during the run"],
  [213, "the table was changed during the run"],
  [229, "the login lacks a permission on it; a trigger may need one, too"],
  [230, "the login lacks a permission on one of its columns"],
  [1105, "the database is full"],
  [1934, "it wants other SET options than those that indexed views need"],
  [3906, "the database is read-only"],
  [9002, "the log of the database is full"],
]);
