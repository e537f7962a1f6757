import type { ReadContext } from "../contracts/source.ts";
import { requireChanges } from "../pipeline/require-changes.ts";
import type { ResolvedPipeline } from "../pipeline/resolve.ts";
import type { Findings } from "./report.ts";

/** Looks at what a run needs that reads only what changed; at nothing where it reads every row. */
export async function checkChanges(
  findings: Findings,
  pipeline: Pick<ResolvedPipeline, "source" | "destinations" | "stores">,
  context: ReadContext,
): Promise<void> {
  const { changes } = pipeline.source;
  if (changes === undefined) return;
  const canRead = await findings.tryCheck("source", "changes", async () => {
    await requireChanges(pipeline, context);
    return true;
  });
  if (canRead === undefined) return;
  findings.add("source", "changes", "ok", `runs read what changed, by ${changes.by}, and rows that failed before`);
}
