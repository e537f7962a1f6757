import { DeadLetterError } from "../core/exceptions.ts";
import { type JSONEncoding, toJSONValue } from "../core/json.ts";
import { LinesFile } from "../core/lines-file.ts";
import type { DeadLetter, FailedRow } from "./base.ts";

/** In `raw_data`, so that a replay gives steps what the source gave them. */
const reversible: JSONEncoding = {
  date: (value) => ({ $date: Number.isNaN(value.getTime()) ? null : value.toISOString() }),
  bytes: (value) => ({ $bytes: Buffer.from(value).toString("base64") }),
  bigint: (value) => ({ $bigint: String(value) }),
};

/** Failed rows, one JSON object a line, appended; on the disk before the row counts as failed. */
export class DeadLetterFile implements DeadLetter {
  readonly #path: string;
  readonly #runId: string;
  readonly #file: LinesFile;

  private constructor(path: string, runId: string, file: LinesFile) {
    this.#path = path;
    this.#runId = runId;
    this.#file = file;
  }

  /** @throws {DeadLetterError} if the file can't be opened for writing */
  static async open(path: string, runId: string): Promise<DeadLetterFile> {
    try {
      return new DeadLetterFile(path, runId, await LinesFile.open(path, { durable: true }));
    } catch (error) {
      throw new DeadLetterError(path, error);
    }
  }

  async add(row: FailedRow): Promise<void> {
    try {
      await this.#file.append(JSON.stringify(this.#entry(row)));
    } catch (error) {
      throw new DeadLetterError(this.#path, error);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #entry({ pk, step, error, raw, partialState, retryCount }: FailedRow): Readonly<Record<string, unknown>> {
    return {
      pk,
      run_id: this.#runId,
      step_name: step,
      error_type: error.name,
      error_code: error.code,
      error_message: error.detail,
      raw_data: toJSONValue(raw ?? null, reversible),
      partial_state: toJSONValue(partialState),
      timestamp: new Date().toISOString(),
      retry_attempts: retryCount,
      attempts: "attempts" in error ? error.attempts : [],
    };
  }
}
