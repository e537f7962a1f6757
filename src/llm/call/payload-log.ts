import type { LLMEtlError } from "../../errors/llm-etl-error.ts";
import { PayloadLogError } from "../../errors/journal.ts";
import { ignoreRejection } from "../../errors/promised.ts";
import { describeThrown } from "../../errors/thrown.ts";
import { LinesFile } from "../../files/lines-file.ts";
import { daysAgo, removeOldLines } from "../../files/old-lines.ts";
import { ProviderError } from "../provider-error.ts";
import type { LLMRequest, LLMResponse } from "../../contracts/provider.ts";
import type { Attempt } from "./row-call.ts";

export interface PayloadLogOptions {
  readonly path: string;
  readonly runId: string;
  /** `metadata` leaves out messages and answers. */
  readonly level: "full" | "metadata";
  /** Applied to each message and each answer before it is logged. */
  readonly redact: (text: string) => string;
  readonly maxBytes: number;
  /** Lines older than so many days are removed as it is opened. @default all are kept */
  readonly keepDays?: number | undefined;
}

/** The log of every attempt, one JSON object a line. */
export class PayloadLog {
  readonly #options: PayloadLogOptions;
  readonly #file: LinesFile;

  private constructor(options: PayloadLogOptions, file: LinesFile) {
    this.#options = options;
    this.#file = file;
  }

  /** @throws {PayloadLogError} if the file can't be opened for writing */
  static async open(options: PayloadLogOptions): Promise<PayloadLog> {
    const { path, maxBytes, keepDays } = options;
    try {
      if (keepDays !== undefined) await removeOldLines(path, daysAgo(keepDays));
      return new PayloadLog(options, await LinesFile.open(path, { durable: false, maxBytes }));
    } catch (error) {
      throw new PayloadLogError(path, error);
    }
  }

  /** @throws {PayloadLogError} if the line can't be written, or `redact` throws */
  async add(attempt: Attempt): Promise<void> {
    const line = JSON.stringify(this.#entry(attempt));
    try {
      await this.#file.append(line);
    } catch (error) {
      throw new PayloadLogError(this.#options.path, error);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #entry({
    step,
    pk,
    provider,
    request,
    response,
    error,
    retryCount,
    startedAt,
    latencyMs,
    usage,
    cost,
    currency,
  }: Attempt): object {
    return {
      timestamp: startedAt.toISOString(),
      run_id: this.#options.runId,
      step,
      pk,
      request: { ...this.#messages(request), model: response?.model ?? provider.name },
      response: this.#answer(response),
      retry_count: retryCount,
      latency_ms: Math.round(latencyMs),
      usage: {
        input_tokens: usage.inputTokens,
        cached_tokens: usage.cachedTokens,
        output_tokens: usage.outputTokens,
        ...(usage.isEstimated === true ? { estimated: true } : {}),
      },
      ...(cost === null ? {} : { cost: { amount: cost, currency } }),
      error: error === null ? null : { code: error.code, message: this.#messageOf(error), ...this.#facts(error) },
    };
  }

  #messages({ messages }: LLMRequest): object {
    if (this.#options.level === "metadata") return {};
    return { messages: messages.map(({ role, content }) => ({ role, content: this.#redact(content) })) };
  }

  /** The answer's JSON, or its text where it is none. */
  #answer(response: LLMResponse | null): unknown {
    if (response === null || this.#options.level === "metadata") return null;
    const text = this.#redact(response.text);
    try {
      return JSON.parse(text);
    } catch {
      return text; // an answer that is not JSON is logged as it came
    }
  }

  #redact(text: string): string {
    try {
      const redacted = this.#options.redact(text);
      if (ignoreRejection(redacted)) throw new TypeError("redact returned a promise");
      return redacted;
    } catch (error) {
      // What it threw may quote the text.
      const problem = new Error(`redact threw ${describeThrown(error)}`, { cause: error });
      throw new PayloadLogError(this.#options.path, problem);
    }
  }

  #messageOf(error: LLMEtlError): string {
    return this.#options.level === "metadata" ? error.message : this.#redact(error.detail);
  }

  #facts(error: LLMEtlError): object {
    if (!(error instanceof ProviderError)) return {};
    return { status: error.status ?? null, request_id: error.requestId ?? null };
  }
}
