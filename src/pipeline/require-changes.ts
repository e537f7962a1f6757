import type { AnySource, ReadContext } from "../contracts/source.ts";
import { LLMEtlError } from "../errors/llm-etl-error.ts";
import { OptionError } from "../errors/option.ts";
import { SourceError } from "../errors/source.ts";
import { problemOf } from "../errors/thrown.ts";
import type { ResolvedPipeline } from "./resolve.ts";

/**
 * Makes sure that a run can read only what changed, where its source can tell.
 *
 * @throws {OptionError} without a journal, and for a sink that keeps no rows
 * @throws {SourceError} if the source can't find rows by key
 */
export async function requireChanges(
  { source, destinations, stores }: Pick<ResolvedPipeline, "source" | "destinations" | "stores">,
  context: ReadContext,
): Promise<void> {
  if (source.changes === undefined) return;
  if (stores.journal === null) {
    const problem = "the changes of its source need one: it knows how far they were read";
    throw new OptionError("Pipeline", "journal", problem, { expected: "a journal", got: "off" });
  }
  const anew = destinations.find(({ sink }) => !sink.keepsRows)?.sink;
  if (anew !== undefined) {
    const problem = `the sink ${anew.name} writes its file anew in each run: it would hold only what changed`;
    const hint = "leave out changes, or write to a table";
    throw new OptionError("Pipeline", "source", problem, { where: "changes", sink: anew.name, hint });
  }
  if (await canFind(source, context)) return;
  const facts = {
    where: "changes",
    expected: "a source that finds rows by key",
    hint: "rows that failed are found so: leave out changes, or write a statement that can be a part of another one",
  };
  throw new SourceError(source.name, "changes can't be read, for it can't find rows by key", { facts });
}

async function canFind({ name, find }: AnySource, context: ReadContext): Promise<boolean> {
  try {
    return (await find?.([], context)) !== undefined;
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof LLMEtlError) throw error;
    const { problem, options } = problemOf(error);
    throw new SourceError(name, problem, options);
  }
}
