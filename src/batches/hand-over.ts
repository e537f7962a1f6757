import type { BatchService, ServiceBatch } from "../contracts/provider.ts";
import type { SubmittedWork } from "../contracts/journal-work.ts";
import { ProviderError } from "../llm/provider-error.ts";
import type { ParkedFile } from "./parked-requests.ts";
import { removeSpool } from "./spool.ts";
import type { WorkStore } from "./work-store.ts";

/** Our id, as a batch at the service carries it. */
export const ownIdField = "llm_etl_work";

/** Uploads a file, and creates its batch. Each step is in the journal before the next is taken. */
export async function handOver(store: WorkStore, parked: ParkedFile, signal: AbortSignal): Promise<void> {
  const { work, service, path } = parked;
  const fileId = await service.upload(path, `${work.id}.jsonl`, signal);
  const uploaded: SubmittedWork = { ...work, state: "uploaded", fileId };
  await store.save(uploaded);
  await removeSpool(path);
  await createBatch(store, uploaded, service, signal);
}

/**
 * Creates the batch of a file that the service has. A service that has no room for it now leaves it uploaded: it is tried again later.
 *
 * @throws {ProviderError} as the service says; after an error that does not tell if it was created, the work is `sent`
 */
export async function createBatch(
  store: WorkStore,
  work: SubmittedWork,
  service: BatchService,
  signal: AbortSignal,
): Promise<void> {
  if (work.fileId === null) return;
  await store.save({ ...work, state: "sent" });
  try {
    await adopt(store, work, await service.create(work.fileId, { [ownIdField]: work.id }, signal));
  } catch (error) {
    if (!(error instanceof ProviderError) || error.status === undefined) throw error;
    if (!isQueueFull(error) && error.status >= 500) throw error; // it may have been created
    await store.save({ ...work, state: "uploaded" });
    if (!isQueueFull(error) && error.status !== 429) throw error;
  }
}

/** Notes the batch of a work. */
export async function adopt(store: WorkStore, work: SubmittedWork, batch: ServiceBatch): Promise<void> {
  await store.save({ ...work, state: "submitted", batchId: batch.id, fileId: work.fileId ?? batch.inputFileId });
}

/** True where the service has as many tokens in its queue as it takes: by the code of Azure OpenAI. */
export function isQueueFull({ detail, facts }: ProviderError): boolean {
  const words = `${detail} ${JSON.stringify(facts)}`;
  return /token_limit_exceeded|enqueued token limit|too many enqueued/iu.test(words);
}
