import { randomUUID } from "node:crypto";
import type { JournalSession } from "../contracts/journal.ts";
import type { SubmittedWork } from "../contracts/journal-work.ts";
import type { LLMProvider } from "../contracts/provider.ts";
import { OptionError } from "../errors/option.ts";
import { WorkStore } from "../batches/work-store.ts";
import type { PipelineDefinition } from "./definition.ts";
import { type ResolvedPipeline, resolvePipeline } from "./resolve.ts";
import { factsOf } from "./run-facts.ts";
import { openJournal } from "./stores.ts";

/** A batch that the journal knows of and that was not collected. */
export interface OpenBatch {
  /** Ours; the batch carries it at the service, in its metadata. */
  readonly id: string;
  /** The service's; null before it has told it. */
  readonly batchId: string | null;
  readonly deployment: string;
  /** See `SubmittedWork`. `held`: it can't be told whether the service has it. */
  readonly state: Exclude<SubmittedWork["state"], "ended">;
  readonly requests: number;
  /** The most that it can cost, in the currency of the provider's prices; 0 without prices. */
  readonly worstCase: number;
  readonly createdAt: Date;
}

/** The batches of a pipeline that were not collected. They are those that the journal has: no service is asked. */
export async function openBatches(definition: PipelineDefinition): Promise<readonly OpenBatch[]> {
  const reader = await resolvePipeline(definition).stores.journal?.reader();
  if (reader === undefined) return [];
  try {
    const found: OpenBatch[] = [];
    for (let from: string | undefined; ;) {
      const { items, next } = await reader.work.list({ limit: 1000, from });
      for (const work of items) if (work.pipeline === definition.options.name) found.push(...openBatch(work));
      if (next === null) return found;
      from = next;
    }
  } finally {
    await reader.close();
  }
}

/**
 * Asks the services to cancel all batches of a pipeline. What they have answered by then is still to be collected, by a run over batches; one that is
 * `held` is given up at once, and may be billed.
 *
 * @throws {OptionError} without a journal
 */
export async function cancelBatches(
  definition: PipelineDefinition,
  signal: AbortSignal,
): Promise<readonly OpenBatch[]> {
  const pipeline = resolvePipeline(definition);
  const { journal } = pipeline.stores;
  if (journal === null)
    throw new OptionError("batches", "journal", "is off: it knows of no batch", { expected: "a journal", got: "off" });
  const facts = factsOf(pipeline, { runId: randomUUID(), kind: "run", startedAt: new Date() });
  const session = await openJournal(journal, facts, pipeline.settings, signal);
  try {
    return await cancelAll(pipeline, session, signal);
  } finally {
    await session.close();
  }
}

async function cancelAll(
  { name, providers }: ResolvedPipeline,
  session: JournalSession,
  signal: AbortSignal,
): Promise<readonly OpenBatch[]> {
  const store = await WorkStore.open(session);
  const open = store.all.filter(({ pipeline, state }) => pipeline === name && state !== "ended");
  for (const work of open) {
    if (work.state === "submitted" && work.batchId !== null)
      await serviceOf(work, providers)?.cancel(work.batchId, signal);
    else if (work.state !== "sent") {
      await store.release(work.id);
      await store.save({ ...work, state: "ended" });
    }
  }
  return open.flatMap(openBatch);
}

function serviceOf({ provider, facts }: SubmittedWork, providers: readonly LLMProvider[]): LLMProvider["batch"] {
  return providers.find(({ name, batch }) => name === provider && batch?.deployment === facts["deployment"])?.batch;
}

function openBatch({ id, batchId, state, facts, createdAt }: SubmittedWork): readonly OpenBatch[] {
  if (state === "ended") return [];
  const { deployment, requests, worstCase } = facts;
  return [
    {
      id,
      batchId,
      deployment: String(deployment),
      state,
      requests: Number(requests ?? 0),
      worstCase: Number(worstCase ?? 0),
      createdAt,
    },
  ];
}
