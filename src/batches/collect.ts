import type { BatchResult, BatchService, ServiceBatch } from "../contracts/provider.ts";
import type { JournalSession } from "../contracts/journal.ts";
import type { SubmittedWork } from "../contracts/journal-work.ts";
import { ProviderError } from "../llm/provider-error.ts";
import type { WorkStore } from "./work-store.ts";

export interface CollectOptions {
  readonly store: WorkStore;
  readonly answers: JournalSession["answers"];
  readonly runId: string;
  readonly keepFiles: boolean;
  readonly signal: AbortSignal;
  /** Takes the errors that concern one row. */
  readonly onError: (fingerprint: string, error: ProviderError) => void;
}

/** A file is downloaded so often before what it lacks counts as missed. */
const mostDownloads = 3;

/** So many answers are on their way into the journal at once. */
const savedAtOnce = 500;

/** Looks after a batch, and stores its answers once it has ended. Resolves to true if it has. */
export async function collect(work: SubmittedWork, service: BatchService, options: CollectOptions): Promise<boolean> {
  const { store, signal, keepFiles } = options;
  if (work.batchId === null) return false;
  const batch = await service.retrieve(work.batchId, signal);
  if (batch.state === "working") return false;
  if (batch.state === "rejected") return await reject(work, batch, store);
  await download(work, service, batch, options);
  await store.save({ ...work, state: "ended" });
  const files = [batch.outputFileId, batch.errorFileId, work.fileId];
  if (!keepFiles) for (const file of files) if (file !== null) await service.remove(file, signal).catch(() => {}); // it costs nothing
  return true;
}

/** A batch of which nothing was done: for want of room it is created again, else its requests are free, and the run says why. */
async function reject(work: SubmittedWork, batch: ServiceBatch, store: WorkStore): Promise<boolean> {
  if (batch.errorCodes.some((code) => code.toLowerCase() === "token_limit_exceeded")) {
    await store.save({ ...work, state: "uploaded", batchId: null });
    return false;
  }
  await store.release(work.id);
  await store.save({ ...work, state: "ended" });
  const codes = batch.errorCodes.length === 0 ? "no code" : batch.errorCodes.join(", ");
  const facts = { where: [work.id], got: codes, hint: "look at the batch in the service's portal, then run again" };
  throw new ProviderError("run", "BAD_REQUEST", `the service has rejected a whole batch (${codes})`, facts);
}

async function download(
  work: SubmittedWork,
  service: BatchService,
  batch: ServiceBatch,
  options: CollectOptions,
): Promise<void> {
  const expected = batch.counts === null ? 0 : batch.counts.completed + batch.counts.failed;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const seen = await storeResults(work, service, batch, options);
      if (seen >= expected || attempt >= mostDownloads) return;
    } catch (error) {
      const isTransient = error instanceof ProviderError && error.class === "transient";
      if (!isTransient || attempt >= mostDownloads) throw error;
    }
  }
}

/** Stores what the files hold, each request once. Resolves to the number of them. */
async function storeResults(
  work: SubmittedWork,
  service: BatchService,
  { outputFileId, errorFileId }: ServiceBatch,
  options: CollectOptions,
): Promise<number> {
  const seen = new Set<string>();
  for (const fileId of [outputFileId, errorFileId]) {
    if (fileId === null) continue;
    let results: BatchResult[] = [];
    for await (const line of service.lines(fileId, options.signal)) {
      const result = service.resultOf(line);
      if (result === undefined || seen.has(result.id)) continue;
      seen.add(result.id);
      results.push(result);
      if (results.length < savedAtOnce) continue;
      await storeAll(work, results, options);
      results = [];
    }
    await storeAll(work, results, options);
  }
  return seen.size;
}

async function storeAll(work: SubmittedWork, results: readonly BatchResult[], options: CollectOptions): Promise<void> {
  const { store, answers, runId, onError } = options;
  await Promise.all(
    results.map(async (result) => {
      if ((await store.of(result.id))?.id !== work.id) return; // it is none of this batch, or counts already
      const failed = async (error: ProviderError): Promise<void> => {
        onError(result.id, error);
        await store.remove(work.id, [result.id]);
      };
      if ("error" in result && result.error instanceof ProviderError) return await failed(result.error);
      if (!("answer" in result)) return;
      const { text, finishReason, model, usage } = result.answer;
      if (finishReason === "stop" || finishReason === "length") {
        await answers.save(result.id, { text, finishReason, model, usage, runId });
      } else {
        const code = finishReason === "refusal" ? "REFUSAL" : "CONTENT_FILTER";
        await failed(new ProviderError("row", code, `the service declined the request (${finishReason})`));
      }
    }),
  );
}
