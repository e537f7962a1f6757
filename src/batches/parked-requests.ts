import { randomUUID } from "node:crypto";
import type { BatchService } from "../contracts/provider.ts";
import type { SubmittedWork } from "../contracts/journal-work.ts";
import { sentRequest } from "../llm/call/send.ts";
import type { ParkedRequest } from "../llm/call/batch-route.ts";
import type { RowCall } from "../llm/call/row-call.ts";
import { roundAmount } from "../llm/pricing.ts";
import { removeSpool, SpoolFile, type SpooledFile, spoolFolder } from "./spool.ts";
import type { WorkStore } from "./work-store.ts";

/** A file that is to be handed over. */
export interface ParkedFile extends SpooledFile {
  readonly work: SubmittedWork;
  readonly service: BatchService;
}

interface OpenFile {
  readonly work: SubmittedWork;
  readonly service: BatchService;
  readonly file: SpoolFile;
  fingerprints: string[];
  worstCase: number;
}

/** So many fingerprints are saved at once. */
const savedAtOnce = 500;

/**
 * Writes requests into files, one for each service and number of batches that a request was in. A full file is followed by another. What a file
 * holds is in the journal before the file is handed over.
 */
export class ParkedRequests {
  readonly #pipeline: string;
  readonly #store: WorkStore;
  readonly #open = new Map<string, Promise<OpenFile>>();
  readonly #full: ParkedFile[] = [];
  /** Requests that are in a file, and may not be in the journal yet. */
  readonly #parked = new Set<string>();
  #requests = 0;
  #folder: Promise<string> | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(pipeline: string, store: WorkStore) {
    this.#pipeline = pipeline;
    this.#store = store;
  }

  /** True for a request that is in one of the files, as far as the journal does not say so. */
  has(fingerprint: string): boolean {
    return this.#parked.has(fingerprint);
  }

  get requests(): number {
    return this.#requests;
  }

  /** Adds a request. One at a time goes into a file. */
  async add(call: RowCall, service: BatchService, parked: ParkedRequest): Promise<void> {
    this.#parked.add(parked.fingerprint);
    this.#requests += 1;
    const adding = this.#saving.then(async () => await this.#add(call, service, parked));
    this.#saving = adding.catch(() => {});
    await adding;
  }

  /** The files, complete, with all that they hold in the journal. */
  async end(): Promise<readonly ParkedFile[]> {
    await this.#saving;
    for (const open of this.#open.values()) await this.#close(await open);
    this.#open.clear();
    return this.#full.splice(0);
  }

  /** Removes what is left of the files. */
  async remove(): Promise<void> {
    if (this.#folder !== undefined) await removeSpool(await this.#folder);
  }

  async #add(call: RowCall, service: BatchService, { fingerprint, attempt, worstCase }: ParkedRequest): Promise<void> {
    const line = service.lineOf(fingerprint, sentRequest(call));
    const key = JSON.stringify([call.provider.name, service.deployment, attempt]);
    let open = await this.#open.get(key);
    const isFull =
      open !== undefined &&
      (open.file.requests >= service.maxRequests || open.file.bytes + Buffer.byteLength(line) + 1 > service.maxBytes);
    if (open !== undefined && isFull) {
      await this.#close(open);
      open = undefined;
    }
    if (open === undefined) {
      const begun = this.#begin(call.provider.name, service, attempt);
      this.#open.set(key, begun);
      open = await begun;
    }
    await open.file.add(line);
    open.fingerprints.push(fingerprint);
    open.worstCase += worstCase;
    if (open.fingerprints.length >= savedAtOnce) await this.#saveFingerprints(open);
  }

  async #begin(provider: string, service: BatchService, attempt: number): Promise<OpenFile> {
    this.#folder ??= spoolFolder();
    const id = randomUUID();
    const now = new Date();
    const work: SubmittedWork = {
      id,
      pipeline: this.#pipeline,
      provider,
      state: "prepared",
      fileHash: "",
      fileId: null,
      batchId: null,
      createdAt: now,
      updatedAt: now,
      facts: { deployment: service.deployment, attempt, requests: 0 },
    };
    await this.#store.save(work);
    return {
      work,
      service,
      file: await SpoolFile.begin(await this.#folder, `${id}.jsonl`),
      fingerprints: [],
      worstCase: 0,
    };
  }

  async #saveFingerprints(open: OpenFile): Promise<void> {
    const { fingerprints } = open;
    open.fingerprints = [];
    if (fingerprints.length > 0) await this.#store.add(open.work.id, fingerprints);
    for (const fingerprint of fingerprints) this.#parked.delete(fingerprint);
  }

  async #close(open: OpenFile): Promise<void> {
    await this.#saveFingerprints(open);
    const spooled = await open.file.end();
    const { requests, hash: fileHash } = spooled;
    const work = {
      ...open.work,
      fileHash,
      facts: { ...open.work.facts, requests, worstCase: roundAmount(open.worstCase) },
    };
    await this.#store.save(work);
    this.#full.push({ ...spooled, work, service: open.service });
  }
}
