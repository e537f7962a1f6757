import { hash } from "node:crypto";
import { fromReversible } from "../json/json.ts";
import { describeType } from "../errors/describe-type.ts";

/** A line of the dead letter file, as it was read. */
export type LineContent = RowLine | OtherLine;

/** A line on a row that can be told from all others. */
export interface RowLine {
  readonly pk: string;
  readonly errorCode: string;
  readonly failedAtMs: number;
  /** The row as the source gave it; null where the line does not hold it whole. */
  readonly raw: Readonly<Record<string, unknown>> | null;
  /** Why the row can't be had back; null where it can. Holds no content. */
  readonly problem: string | null;
}

/** A line that stands for no row in particular: it is not understood, or the row's key is missing or another row's. */
export interface OtherLine {
  readonly pk: null;
  readonly problem: string;
  readonly failure?: KeylessFailure | undefined;
}

/** The failure of a row without a key of its own. */
export interface KeylessFailure {
  readonly runId: string;
  /** The same text for the same row with the same error: of different runs the last one counts. */
  readonly content: string;
}

/** Reads a line of the dead letter file, as far as it is of the pipeline. Never throws. */
export function readLine(bytes: Uint8Array, pipeline: string): LineContent {
  let line: unknown;
  try {
    line = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return other("is not JSON in UTF-8: a crash cut it off, or it was edited");
  }
  if (!isObject(line)) return other(`is ${describeType(line)}, expected an object`);
  const { pk, pipeline: owner = pipeline, error_code: errorCode, raw_data: rawData, timestamp } = line;
  if (owner !== pipeline) return other("it is of another pipeline");
  if (pk === null) return other("its row has no primary key", failureIn(line));
  if (typeof pk !== "string") return other(`its "pk" is ${describeType(pk)}, expected text`);
  if (typeof errorCode !== "string") return other(`its "error_code" is ${describeType(errorCode)}, expected text`);
  if (errorCode === "PRIMARY_KEY_DUPLICATE") {
    return other("another row of its run has the same primary key", failureIn(line));
  }
  const failedAtMs = typeof timestamp === "string" ? Date.parse(timestamp) : Number.NaN;
  if (Number.isNaN(failedAtMs)) return other('its "timestamp" is no time');
  return { pk, errorCode, failedAtMs, ...rowIn(rawData) };
}

function rowIn(rawData: unknown): Pick<RowLine, "raw" | "problem"> {
  if (!isObject(rawData))
    return { raw: null, problem: `its "raw_data" is ${describeType(rawData)}, expected an object` };
  try {
    if (isIncomplete(rawData)) return { raw: null, problem: "its row held a value that could not be kept" };
    const raw = fromReversible(rawData);
    if (isObject(raw)) return { raw, problem: null };
  } catch {
    return { raw: null, problem: 'its "raw_data" is nested too deeply' }; // more than the stack holds
  }
  return { raw: null, problem: 'its "raw_data" is a value, expected an object' };
}

/** True if a value in it, at any depth, could not be encoded when the line was written. */
function isIncomplete(value: unknown): boolean {
  if (Array.isArray(value)) return value.some((item) => isIncomplete(item));
  if (!isObject(value)) return false;
  const names = Object.keys(value);
  if (names.length === 1 && names[0] === "$unencodable") return true;
  return names.some((name) => isIncomplete(value[name]));
}

/** Undefined where the line does not say of which run it is, or holds its row in part. */
function failureIn(line: Readonly<Record<string, unknown>>): KeylessFailure | undefined {
  const { run_id: runId, pk, step_name: step, error_code: code, error_message: message, raw_data: raw = null } = line;
  if (typeof runId !== "string") return undefined;
  try {
    if (isIncomplete(raw)) return undefined;
    const content = JSON.stringify([pk, step, code, raw, raw === null ? message : null]);
    return { runId, content: hash("sha256", content, "base64") };
  } catch {
    return undefined; // nested deeper than the stack holds
  }
}

function other(problem: string, failure?: KeylessFailure): OtherLine {
  return { pk: null, problem, ...(failure !== undefined && { failure }) };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
