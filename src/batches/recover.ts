import { setTimeout } from "node:timers/promises";
import type { BatchService, ServiceBatch } from "../contracts/provider.ts";
import type { SubmittedWork } from "../contracts/journal-work.ts";
import { ProviderError } from "../llm/provider-error.ts";
import { adopt, createBatch, ownIdField } from "./hand-over.ts";
import type { WorkStore } from "./work-store.ts";

/**
 * Takes up what a run before has left midway. Nothing is created of which it is not known that it was not: a service that may have the batch is
 * looked through twice.
 */
export async function recover(
  store: WorkStore,
  work: SubmittedWork,
  service: BatchService,
  { lookAgainMs, signal }: { readonly lookAgainMs: number; readonly signal: AbortSignal },
): Promise<void> {
  if (work.state === "prepared") {
    // Nothing of it was created: its rows ask again.
    await store.release(work.id);
    return await store.save({ ...work, state: "ended" });
  }
  if (work.state === "uploaded") return await createBatch(store, work, service, signal);
  if (work.state !== "sent" && work.state !== "held") return;
  const first = await lookFor(work, service, signal);
  if (first === "unknown") return await store.save({ ...work, state: "held" });
  if (first !== undefined) return await adopt(store, work, first);
  await setTimeout(lookAgainMs, undefined, { signal });
  const second = await lookFor(work, service, signal);
  if (second === "unknown") return await store.save({ ...work, state: "held" });
  if (second !== undefined) return await adopt(store, work, second);
  await createBatch(store, work, service, signal);
}

/** The work's batch at the service; undefined where it has none, "unknown" where that can't be told. */
async function lookFor(
  { id, fileId }: SubmittedWork,
  service: BatchService,
  signal: AbortSignal,
): Promise<ServiceBatch | "unknown" | undefined> {
  let isTold = true;
  try {
    for await (const batch of service.list(signal)) {
      if (batch.metadata[ownIdField] === id || (fileId !== null && batch.inputFileId === fileId)) return batch;
      if (batch.inputFileId === null && Object.keys(batch.metadata).length === 0) isTold = false;
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ProviderError && error.class !== "transient") return "unknown";
    throw error;
  }
  return isTold ? undefined : "unknown";
}
