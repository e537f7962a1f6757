import type { IncomingHttpHeaders } from "node:http";
import type { ChatService } from "../chat-service.ts";
import { outcomeInstead } from "../fault-outcomes.ts";
import type { AzureOpenAISimulatorOptions } from "../options.ts";
import { drawsFor } from "../request-hash.ts";
import type { StatisticsCounter } from "../statistics.ts";
import * as replies from "../replies.ts";
import { Batches } from "./batches.ts";
import { readOrder } from "./order.ts";
import { LineWorker } from "./line-worker.ts";
import type { SimulatorBatchOptions } from "./options.ts";
import { RequestFaults, type SimulatorBatchFaultName } from "./request-faults.ts";
import { StoredFiles, type StoredFile } from "./stored-files.ts";
import { readUpload } from "./upload.ts";
import type { SimulatorBatches, SimulatorBatchOperation } from "./words.ts";

/** A request of the Files and Batch APIs. */
export interface BatchArrival {
  readonly operation: SimulatorBatchOperation;
  readonly number: number;
  /** The id in the path. */
  readonly id: string | undefined;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The end of such a request, as its client sees it. */
export type BatchOutcome =
  | { readonly kind: "reply"; readonly reply: replies.Reply }
  | { readonly kind: "file"; readonly file: StoredFile; readonly fault: SimulatorBatchFaultName | undefined }
  | { readonly kind: "reset" }
  | { readonly kind: "hang" };

interface APIParts {
  readonly options: () => AzureOpenAISimulatorOptions;
  readonly service: ChatService;
  /** Of requests for completions, where the lines of batches are counted. */
  readonly statistics: StatisticsCounter;
  /** Of the requests for files and batches. */
  readonly requests: StatisticsCounter;
}

/** The Files and Batch APIs. It knows nothing of HTTP connections. */
export class BatchAPI {
  readonly #parts: APIParts;
  readonly #files = new StoredFiles();
  readonly #worker: LineWorker;
  readonly #batches: Batches;
  readonly #faults: RequestFaults;
  readonly #operations = new Map<SimulatorBatchOperation, number>();

  constructor(parts: APIParts) {
    const { service, statistics, options } = parts;
    const { seed = 1 } = options();
    this.#parts = parts;
    this.#worker = new LineWorker({ seed, service, statistics, options: () => this.#options });
    this.#batches = new Batches({ seed, files: this.#files, worker: this.#worker, options });
    this.#faults = new RequestFaults(seed);
  }

  get #options(): SimulatorBatchOptions {
    return this.#parts.options().batch ?? {};
  }

  read(): SimulatorBatches {
    const { byStatus, byFault } = this.#parts.requests.read();
    return {
      requests: Object.fromEntries(this.#operations),
      byStatus,
      byFault,
      files: this.#files.list(),
      batches: this.#batches.list().map((record) => record.read()),
      lines: this.#worker.read(),
    };
  }

  /** Forgets files and batches at once; its promise is fulfilled when the work on them has ended, and the files are removed. */
  async reset(): Promise<void> {
    this.#operations.clear();
    this.#worker.reset();
    this.#faults.reset();
    this.#parts.requests.reset();
    await this.#files.clear(this.#batches.clear());
  }

  /** Carries out a request. @throws {OptionError} if a function of the options returns what is no fault, and what such functions throw */
  async decide(arrival: BatchArrival): Promise<BatchOutcome> {
    const { operation, number, id, headers } = arrival;
    this.#operations.set(operation, (this.#operations.get(operation) ?? 0) + 1);
    const turnedAway = this.#parts.service.turnAway(headers);
    if (turnedAway !== undefined) return turnedAway;
    const fault = this.#faults.faultOf({ operation, number, id }, this.#options);
    if (fault !== undefined) this.#parts.requests.faulted(fault);
    const instead = this.#insteadOf(fault, number);
    if (instead !== undefined) return instead;
    const outcome = await this.#carryOut(arrival, fault);
    if (outcome.kind === "file" || (outcome.kind === "reply" && outcome.reply.status === 200)) {
      await this.#tell(arrival, outcome);
    }
    return fault === "lostAnswer" ? { kind: "reset" } : outcome;
  }

  #insteadOf(fault: SimulatorBatchFaultName | undefined, number: number): BatchOutcome | undefined {
    const isOfReply =
      fault === "rateLimit" || fault === "serverError" || fault === "unavailable" || fault === "connectionReset";
    if (!isOfReply) return undefined;
    const { seed = 1, ...waits } = this.#parts.options();
    return outcomeInstead(fault, { messageCharacters: 0 }, drawsFor(seed, number, "batch"), waits);
  }

  async #tell({ operation, number, id }: BatchArrival, outcome: BatchOutcome): Promise<void> {
    const { onBatchEvent } = this.#parts.options();
    if (onBatchEvent === undefined) return;
    const created = outcome.kind === "reply" && id === undefined && operation !== "list" ? idIn(outcome.reply) : id;
    const metadata = this.#batches.get(created ?? "")?.order.metadata ?? null;
    await onBatchEvent({ operation, number, id: created, metadata });
  }

  async #carryOut(arrival: BatchArrival, fault: SimulatorBatchFaultName | undefined): Promise<BatchOutcome> {
    const { operation, id = "" } = arrival;
    switch (operation) {
      case "upload":
        return reply(await this.#upload(arrival));
      case "create":
        return reply(this.#create(arrival.body));
      case "list":
        return reply(this.#batches.page(arrival.query));
      case "poll":
        return reply(this.#batches.poll(id));
      case "cancel":
        return reply(this.#batches.cancel(id));
      case "file":
      case "download":
      case "delete":
        return await this.#ofFile(operation, id, fault);
      default:
        return operation satisfies never;
    }
  }

  async #upload({ body, headers }: BatchArrival): Promise<replies.Reply> {
    const { maxFileBytes = 200 * 1024 * 1024 } = this.#options;
    const upload = await readUpload(body, headers["content-type"]);
    if (typeof upload === "string") return replies.invalidRequest(upload, "file");
    const { name, purpose, content } = upload;
    if (purpose !== "batch") return replies.invalidRequest("The purpose has to be 'batch'.", "purpose");
    if (content.byteLength > maxFileBytes) return tooLarge(maxFileBytes);
    return json(fileJSON(await this.#files.upload(name, content)));
  }

  #create(body: Buffer): replies.Reply {
    const order = readOrder(body, (id) => this.#files.get(id));
    return "status" in order ? order : this.#batches.create(order);
  }

  async #ofFile(
    operation: "file" | "download" | "delete",
    id: string,
    fault: SimulatorBatchFaultName | undefined,
  ): Promise<BatchOutcome> {
    const file = this.#files.get(id);
    if (file === undefined) return reply(replies.fileNotFoundReply());
    if (operation === "file") return reply(json(fileJSON(file)));
    if (operation === "download") {
      this.#files.downloaded(id);
      return { kind: "file", file, fault };
    }
    await this.#files.delete(id);
    return reply(json({ id, object: "file", deleted: true }));
  }
}

/** The reply to a body that is larger than a file may be. */
export function tooLarge(maxBytes: number): replies.Reply {
  return replies.errorReply(413, { message: `The file is larger than ${maxBytes} bytes.`, code: "413" });
}

function reply(given: replies.Reply): BatchOutcome {
  return { kind: "reply", reply: given };
}

function json(body: object): replies.Reply {
  return { status: 200, body: JSON.stringify(body) };
}

function fileJSON({ id, bytes, createdAt, name, purpose }: StoredFile): object {
  return { id, object: "file", bytes, created_at: createdAt, filename: name, purpose, status: "processed" };
}

/** The id of what a reply shows. */
function idIn({ body }: replies.Reply): string {
  // This simulator made the body, with an id.
  return (JSON.parse(body) as { readonly id: string }).id;
}
