import { rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import type { ChatService } from "../chat-service.ts";
import { outcomeInstead } from "../fault-outcomes.ts";
import type { AzureOpenAISimulatorOptions } from "../options.ts";
import { drawsFor } from "../request-hash.ts";
import type { StatisticsCounter } from "../statistics.ts";
import { readBody } from "../read-body.ts";
import * as replies from "../replies.ts";
import { Batches } from "./batches.ts";
import { readOrder } from "./order.ts";
import { LineWorker } from "./line-worker.ts";
import type { SimulatorBatchOptions } from "./options.ts";
import { RequestFaults, type SimulatorBatchFaultName } from "./request-faults.ts";
import { StoredFiles, type StoredFile } from "./stored-files.ts";
import { readUpload, type Upload } from "./upload.ts";
import type { SimulatorBatches, SimulatorBatchOperation } from "./words.ts";

/** A request of the Files and Batch APIs. */
export interface BatchArrival {
  readonly operation: SimulatorBatchOperation;
  readonly number: number;
  /** The id in the path. */
  readonly id: string | undefined;
  readonly query: URLSearchParams;
  readonly request: IncomingMessage;
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

/** The body of a request, read to its end. */
type Body = { readonly kind: "bytes"; readonly bytes: Buffer } | Upload;

const maxBodyBytes = 1024 * 1024;

/** The Files and Batch APIs. */
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
    this.#files.clear();
    await this.#files.remove(this.#batches.clear());
  }

  /** Ends the work on batches, and removes the files from the disk. What is known of them stays. */
  async close(): Promise<void> {
    await this.#batches.close();
    await this.#files.remove(Promise.resolve());
  }

  /** Carries out a request. @throws {OptionError} if a function of the options returns what is no fault, and what such functions throw */
  async decide(arrival: BatchArrival): Promise<BatchOutcome> {
    const { operation } = arrival;
    this.#operations.set(operation, (this.#operations.get(operation) ?? 0) + 1);
    const body = await this.#receive(arrival);
    const { fault, instead } = await this.#faultOf(arrival);
    if (instead !== undefined) {
      if (body.kind === "file") await rm(body.file.path, { force: true });
      return instead;
    }
    const outcome = await this.#carryOut(arrival, body, fault);
    if (outcome.kind === "file" || (outcome.kind === "reply" && outcome.reply.status === 200)) {
      await this.#tell(arrival, outcome);
    }
    return fault === "lostAnswer" ? { kind: "reset" } : outcome;
  }

  /** The fault of a request, and the outcome of one that is not carried out. */
  async #faultOf({ operation, number, id, request }: BatchArrival): Promise<{
    readonly fault?: SimulatorBatchFaultName | undefined;
    readonly instead?: BatchOutcome | undefined;
  }> {
    const turnedAway = this.#parts.service.turnAway(request.headers);
    if (turnedAway !== undefined) return { instead: turnedAway };
    const fault = await this.#faults.faultOf({ operation, number, id }, this.#options);
    if (fault !== undefined) this.#parts.requests.faulted(fault);
    return { fault, instead: this.#insteadOf(fault, number) };
  }

  async #receive({ operation, request }: BatchArrival): Promise<Body> {
    const { maxFileBytes = 200 * 1024 * 1024 } = this.#options;
    if (operation === "upload") return await readUpload(request, this.#files, maxFileBytes);
    const bytes = await new Promise<Buffer | undefined>((resolve) => readBody(request, maxBodyBytes, resolve));
    return bytes === undefined ? { kind: "too-large" } : { kind: "bytes", bytes };
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

  async #carryOut(
    { operation, id = "", query }: BatchArrival,
    body: Body,
    fault: SimulatorBatchFaultName | undefined,
  ): Promise<BatchOutcome> {
    if (body.kind === "too-large") return reply(replies.errorReply(413, { message: "It is too large.", code: "413" }));
    if (body.kind === "wrong") return reply(replies.invalidRequest(body.message, body.param));
    if (body.kind === "file") return reply(json(fileJSON(this.#files.add(body.file))));
    switch (operation) {
      case "create":
        return reply(this.#create(body.bytes));
      case "list":
        return reply(this.#batches.page(query));
      case "poll":
        return reply(this.#batches.poll(id));
      case "cancel":
        return reply(this.#batches.cancel(id));
      case "file":
      case "download":
      case "delete":
        return await this.#ofFile(operation, id, fault);
      case "upload":
        throw new TypeError("the body of an upload is a form");
      default:
        return operation satisfies never;
    }
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
