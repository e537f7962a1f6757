import type { DeadLetterSession, FailedRow } from "../contracts/dead-letter.ts";
import type { RunFacts } from "../contracts/journal.ts";
import { DeadLetterError } from "../errors/journal.ts";
import { earlierFailures } from "./earlier-failures.ts";
import { LinesFile } from "../files/lines-file.ts";
import { type JSONEncoding, reversible, toJSONValue } from "../json/json.ts";

type Run = Pick<RunFacts, "runId" | "pipeline">;

/**
 * Opens a file to which failed rows are appended; each is on the disk before it counts as failed.
 *
 * @throws {DeadLetterError} if the file can't be opened for writing
 */
export async function openSession(path: string, run: Run): Promise<DeadLetterSession> {
  const failing = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work();
    } catch (error) {
      throw new DeadLetterError(path, error);
    }
  };
  const file = await failing(async () => await LinesFile.open(path, { durable: true }));
  const earlier = await earlierFailures(path, run.pipeline).catch(async (error: unknown) => {
    await file.close();
    throw error;
  });
  return {
    ...earlier,
    add: async (row) => {
      const line = lineOf(row, run); // what can't be encoded is not the file's fault
      await failing(async () => await file.append(line));
    },
    close: async () => await file.close(),
  };
}

function lineOf({ pk, step, error, raw, partialState, retryCount, sink }: FailedRow, run: Run): string {
  const fields = {
    pk: encode(pk),
    run_id: encode(run.runId),
    pipeline: encode(run.pipeline),
    step_name: encode(step),
    error_type: encode(error.name),
    error_code: encode(error.code),
    error_message: encode(error.detail),
    raw_data: encodeParts(raw ?? null, reversible), // so that a replay gives steps what the source gave them
    partial_state: encodeParts(partialState),
    timestamp: encode(new Date()),
    retry_attempts: encode(retryCount),
    attempts: encode(error.attempts),
    ...(sink !== undefined && { sink: encode(sink) }),
  };
  return objectOf(Object.entries(fields));
}

/** A value as JSON text. What has none (a getter that throws, a nesting of thousands) is marked as that. */
function encode(value: unknown): string {
  return encodeRead(() => value, undefined);
}

/** The same; of an object that can't be encoded as a whole, each field that can be is kept. */
function encodeParts(value: unknown, encoding?: JSONEncoding): string {
  try {
    return jsonOf(value, encoding);
  } catch (error) {
    const names = namesIn(value);
    if (names === undefined) return unencodable(error);
    return objectOf(names.map((name) => [name, encodeRead(() => Reflect.get(Object(value), name), encoding)]));
  }
}

function encodeRead(read: () => unknown, encoding: JSONEncoding | undefined): string {
  try {
    return jsonOf(read(), encoding);
  } catch (error) {
    return unencodable(error);
  }
}

function jsonOf(value: unknown, encoding: JSONEncoding | undefined): string {
  return JSON.stringify(toJSONValue(value, encoding)) ?? "null";
}

/** The names of an object's fields; undefined if it is none, or does not tell them. */
function namesIn(value: unknown): readonly string[] | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  try {
    return Object.keys(value);
  } catch {
    return undefined; // a Proxy's
  }
}

function unencodable(error: unknown): string {
  return JSON.stringify({ $unencodable: error instanceof Error ? error.name : typeof error });
}

function objectOf(fields: readonly (readonly [string, string])[]): string {
  return `{${fields.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(",")}}`;
}
