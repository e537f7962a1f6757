import type { AzureOpenAISimulatorOptions } from "../options.ts";
import * as replies from "../replies.ts";
import { BatchRecord, type BatchOrder } from "./batch-record.ts";
import { BatchRun, wholeError } from "./batch-run.ts";
import type { ValidationError, ValidationRules } from "./input-lines.ts";
import type { LineWorker } from "./line-worker.ts";
import type { SimulatorBatchOptions } from "./options.ts";
import type { StoredFiles } from "./stored-files.ts";

interface BatchesParts {
  readonly seed: number;
  readonly files: StoredFiles;
  readonly worker: LineWorker;
  readonly options: () => AzureOpenAISimulatorOptions;
}

interface Running {
  readonly run: BatchRun;
  /** The number of lists before its create. */
  readonly lists: number;
  readonly ended: Promise<void>;
}

const defaultPage = 20;
const longestPage = 100;

/** The batches of the Batch API. */
export class Batches {
  readonly #parts: BatchesParts;
  #all = new Map<string, Running>();
  #count = 0;
  /** The creates since the start, or the last reset. */
  #creates = 0;
  #lists = 0;

  constructor(parts: BatchesParts) {
    this.#parts = parts;
  }

  get #options(): SimulatorBatchOptions {
    return this.#parts.options().batch ?? {};
  }

  list(): readonly BatchRecord[] {
    return [...this.#all.values()].map(({ run }) => run.record);
  }

  get(id: string): BatchRecord | undefined {
    return this.#all.get(id)?.run.record;
  }

  create(order: BatchOrder): replies.Reply {
    const { tokenLimitAt = "create" } = this.#options;
    const rejection = this.#rejection(order.tokens);
    if (rejection !== undefined && tokenLimitAt === "create") {
      return replies.invalidRequest(rejection.message, null, rejection.code);
    }
    this.#count += 1;
    const record = new BatchRecord(`batch_simulator_${this.#count}`, order);
    const problemOfModel = (model: string): ReturnType<ValidationRules["problemOfModel"]> => this.#problemOf(model);
    const run = new BatchRun(record, { ...this.#parts, options: () => this.#options, problemOfModel, rejection });
    this.#all.set(record.id, { run, lists: this.#lists, ended: run.run() });
    return this.#show(record);
  }

  poll(id: string): replies.Reply {
    const record = this.get(id);
    return record === undefined ? replies.batchNotFoundReply() : this.#show(record);
  }

  cancel(id: string): replies.Reply {
    const running = this.#all.get(id);
    if (running === undefined) return replies.batchNotFoundReply();
    const { run } = running;
    if (run.cancel()) return this.#show(run.record);
    const message = `A batch that is ${run.record.status} can't be cancelled.`;
    return replies.errorReply(409, { message, code: null, type: "invalid_request_error" });
  }

  /** A page of the list, the newest batch first. */
  page(query: URLSearchParams): replies.Reply {
    const { mayList = true, listOmits = [], listLag = 0 } = this.#options;
    if (!mayList) return replies.forbiddenReply();
    const limit = Number(query.get("limit") ?? defaultPage);
    if (!Number.isInteger(limit) || limit < 1 || limit > longestPage) {
      return replies.invalidRequest(`'limit' must be a whole number from 1 to ${longestPage}.`, "limit");
    }
    const after = query.get("after");
    if (after === null) this.#lists += 1;
    const listed = [...this.#all.values()].filter(({ lists }) => this.#lists - lists > listLag);
    const records = listed.map(({ run }) => run.record).toReversed();
    const from = after === null ? 0 : records.findIndex(({ id }) => id === after) + 1;
    if (after !== null && from === 0) return replies.invalidRequest("'after' is not the id of a batch.", "after");
    const page = records.slice(from, from + limit);
    const data = page.map((record) => without(listOmits, record.toJSON(this.#options)));
    const ids = { first_id: page[0]?.id ?? null, last_id: page.at(-1)?.id ?? null };
    const body = { object: "list", data, ...ids, has_more: from + limit < records.length };
    return { status: 200, body: JSON.stringify(body) };
  }

  /** Forgets all batches, and ends the work on them. */
  async clear(): Promise<void> {
    const ended = this.close();
    this.#all = new Map();
    this.#creates = 0;
    this.#lists = 0;
    await ended;
  }

  /** Ends the work on all batches, which stay as they are. */
  async close(): Promise<void> {
    const all = [...this.#all.values()];
    for (const { run } of all) run.close();
    await Promise.all(all.map(async ({ ended }) => await ended));
  }

  #show(record: BatchRecord): replies.Reply {
    return { status: 200, body: JSON.stringify(record.toJSON(this.#options)) };
  }

  #rejection(tokens: number): ValidationError | undefined {
    const { rejectedCreates = 0, maxEnqueuedTokens = Infinity } = this.#options;
    this.#creates += 1;
    const enqueued = this.list().reduce((sum, record) => sum + (record.hasEnded ? 0 : record.order.tokens), 0);
    if (this.#creates > rejectedCreates && enqueued + tokens <= maxEnqueuedTokens) return undefined;
    return wholeError("token_limit_exceeded", "The limit of enqueued tokens of this deployment is reached.");
  }

  #problemOf(model: string): ReturnType<ValidationRules["problemOfModel"]> {
    const { deployments } = this.#parts.options();
    if (deployments !== undefined && !deployments.includes(model)) {
      return { code: "model_not_found", message: "There is no such deployment for this resource." };
    }
    const { deployments: takeBatches } = this.#options;
    if (takeBatches === undefined || takeBatches.includes(model)) return undefined;
    return { code: "invalid_request", message: "This deployment takes no batches." };
  }
}

function without(
  omitted: readonly string[],
  fields: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !omitted.includes(name)));
}
