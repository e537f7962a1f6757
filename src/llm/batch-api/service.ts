import type { BatchResult, BatchService, ServiceBatch } from "../../contracts/provider.ts";
import type { LLMRequest, LLMResponse } from "../../contracts/provider.ts";
import { ChatBody, type ChatFormat } from "../chat-completions/body.ts";
import { readCompletion } from "../chat-completions/answer.ts";
import { serviceError } from "../chat-completions/service-error.ts";
import { ProviderError } from "../provider-error.ts";
import { BatchExchange, type ExchangeOptions } from "./exchange.ts";
import { resultOfLine } from "./result-line.ts";
import { readBatch } from "./service-batch.ts";

export interface BatchAPIOptions extends ExchangeOptions {
  readonly deployment: string;
  /** The format of the bodies; its model is that of the batches. */
  readonly format: ChatFormat;
  /** The `url` of each line and the `endpoint` of a batch. */
  readonly endpoint: string;
  readonly maxRequests: number;
  readonly maxBytes: number;
}

/** So many batches are listed at once. */
const pageSize = 100;

/** The Batch API of OpenAI and Azure OpenAI, over files. */
export class BatchAPI implements BatchService {
  readonly deployment: string;
  readonly maxRequests: number;
  readonly maxBytes: number;
  readonly #options: BatchAPIOptions;
  readonly #body: ChatBody;
  readonly #exchange: BatchExchange;

  constructor(options: BatchAPIOptions) {
    this.deployment = options.deployment;
    this.maxRequests = options.maxRequests;
    this.maxBytes = options.maxBytes;
    this.#options = options;
    this.#body = new ChatBody(options.format);
    this.#exchange = new BatchExchange(options);
  }

  readonly lineOf = (id: string, request: LLMRequest): string => {
    const { endpoint } = this.#options;
    const head = JSON.stringify({ custom_id: id, method: "POST", url: endpoint });
    return `${head.slice(0, -1)},"body":${this.#body.render({ ...request, tier: undefined })}}`;
  };

  readonly upload = async (path: string, name: string, signal: AbortSignal): Promise<string> => {
    const form = await this.#exchange.formOf(path, name);
    const file = await this.#exchange.json({ method: "POST", path: "/files", form }, signal);
    const id = typeof file === "object" && file !== null && "id" in file ? file.id : undefined;
    if (typeof id === "string" && id !== "") return id;
    throw new ProviderError("transient", "INVALID_RESPONSE", "the file was taken, and no id came back");
  };

  readonly create = async (
    fileId: string,
    metadata: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ServiceBatch> => {
    const json = { input_file_id: fileId, endpoint: this.#options.endpoint, completion_window: "24h", metadata };
    return this.#batchIn(await this.#exchange.json({ method: "POST", path: "/batches", json }, signal));
  };

  readonly retrieve = async (id: string, signal: AbortSignal): Promise<ServiceBatch> =>
    this.#batchIn(await this.#exchange.json({ method: "GET", path: `/batches/${encodeURIComponent(id)}` }, signal));

  readonly cancel = async (id: string, signal: AbortSignal): Promise<ServiceBatch> =>
    this.#batchIn(
      await this.#exchange.json({ method: "POST", path: `/batches/${encodeURIComponent(id)}/cancel` }, signal),
    );

  async *list(signal: AbortSignal): AsyncGenerator<ServiceBatch> {
    let after: string | undefined;
    for (;;) {
      const query = `limit=${pageSize}${after === undefined ? "" : `&after=${encodeURIComponent(after)}`}`;
      const page = await this.#exchange.json({ method: "GET", path: "/batches", query }, signal);
      const { data, has_more: hasMore } = pageOf(page);
      const batches = data.flatMap((one) => readBatch(one) ?? []);
      yield* batches;
      const last = batches.at(-1)?.id;
      if (!hasMore || last === undefined || last === after) return;
      after = last;
    }
  }

  readonly lines = (fileId: string, signal: AbortSignal): AsyncIterable<string> =>
    this.#exchange.lines(`/files/${encodeURIComponent(fileId)}/content`, signal);

  readonly resultOf = (line: string): BatchResult | undefined => resultOfLine(line, this.#readReply);

  readonly remove = async (fileId: string, signal: AbortSignal): Promise<void> =>
    await this.#exchange.remove(`/files/${encodeURIComponent(fileId)}`, signal);

  readonly #readReply = (status: number, body: string): LLMResponse => {
    const { origin, endpoint: path, settings, format } = this.#options;
    const place = { origin, path, settings };
    if (status < 200 || status >= 300) throw serviceError({ status, headers: {}, body, ...place });
    return readCompletion(
      { status, headers: {}, body },
      {
        ...place,
        asked: undefined,
        model: this.deployment,
        schema: {},
        requestCharacters: 0,
        tokenLimit: 0,
        isStrict: format.dialect === "strict",
        onSchemaIgnored: () => {},
      },
    );
  };

  #batchIn(value: unknown): ServiceBatch {
    const batch = readBatch(value);
    if (batch !== undefined) return batch;
    throw new ProviderError("transient", "INVALID_RESPONSE", "the reply about a batch is none");
  }
}

function pageOf(page: unknown): { readonly data: readonly unknown[]; readonly has_more: boolean } {
  const isPage = typeof page === "object" && page !== null && "data" in page && Array.isArray(page.data);
  if (!isPage) throw new ProviderError("transient", "INVALID_RESPONSE", "the reply is no list of batches");
  return { data: page.data as readonly unknown[], has_more: "has_more" in page && page.has_more === true }; // an array, as was checked
}
