import type { Journal } from "../../contracts/journal.ts";
import { OptionError } from "../../errors/option.ts";
import type { RunnablePipeline } from "../../builder/runnable.ts";
import { importPipeline } from "../import-module.ts";

/** A pipeline, and its journal, which is not off. */
export interface PipelineWithJournal {
  readonly pipeline: RunnablePipeline;
  readonly journal: Journal;
}

/** @throws {LLMEtlError} if the module has no pipeline, or its journal is off */
export async function importWithJournal(module: string): Promise<PipelineWithJournal> {
  const pipeline = await importPipeline(module);
  const { journal, name } = pipeline;
  if (journal !== null) return { pipeline, journal };
  throw new OptionError("Pipeline", "journal", `is "off" in ${name}, so nothing is known of its runs`);
}
